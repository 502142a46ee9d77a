from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from wxreg.errors import IntegrityError, NotFound, UsageError
from wxreg.models.forecaster import Channel
from wxreg.models.losses.fields import Fields
from wxreg.models.losses.perceptual import Perceptual
from wxreg.models.vgg_features import VGGFeatures, published_features, seeded_random_features

WIDTHS = (4, 8, 8, 16)
SEEDED = {"features": "seeded-random-features", "widths": WIDTHS}


def fields(prediction: torch.Tensor, target: torch.Tensor, mask: torch.Tensor) -> Fields:
    return Fields(prediction, target, mask, (Channel("vil"),), lambda scaled: scaled)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("vgg") / "vgg16.safetensors"
    tensors = seeded_random_features(11, (64, 128, 256, 512)).state_dict()
    save_file({**tensors, "features.28.weight": torch.zeros(1)}, path)
    return path


def test_it_is_the_convolutional_part_of_vgg16() -> None:
    with torch.device("meta"):
        network = VGGFeatures()
    assert sum(p.numel() for p in network.parameters()) == 7_635_264
    names = {name.split(".")[1] for name in network.state_dict()}
    assert names == {"0", "2", "5", "7", "10", "12", "14", "17", "19", "21"}
    assert network.taps == [3, 8, 15, 22]
    assert not any(p.requires_grad for p in network.parameters())


def test_the_declared_file_is_used(weights: Path) -> None:
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    network = published_features(weights, digest)
    grey = torch.rand(1, 1, 16, 16)
    expected = seeded_random_features(11, (64, 128, 256, 512))(grey)
    for one, other in zip(network(grey), expected, strict=True):
        torch.testing.assert_close(one, other)
    Perceptual({"weights": str(weights), "sha256": digest})


def test_one_flipped_bit_is_refused(weights: Path, tmp_path: Path) -> None:
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    content = bytearray(weights.read_bytes())
    content[-5] ^= 1
    tampered = tmp_path / "vgg16.safetensors"
    tampered.write_bytes(content)
    with pytest.raises(IntegrityError, match="SHA-256"):
        Perceptual({"weights": str(tampered), "sha256": digest})


def test_another_network_and_an_absent_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"features.0.weight": torch.zeros(2)}, path)
    with pytest.raises(IntegrityError, match="does not hold VGG16"):
        published_features(path, hashlib.sha256(path.read_bytes()).hexdigest())
    with pytest.raises(NotFound, match="not there"):
        published_features(tmp_path / "none.safetensors", "0" * 64)


def test_nothing_falls_back_in_silence() -> None:
    with pytest.raises(UsageError, match="seeded-random-features"):
        Perceptual({})


def test_seeded_features_are_the_same_everywhere_and_keep_the_size_of_the_signal() -> None:
    grey = torch.rand(2, 1, 32, 32)
    first, again = (seeded_random_features(3, WIDTHS)(grey) for _ in range(2))
    other = seeded_random_features(4, WIDTHS)(grey)
    for one, two, three in zip(first, again, other, strict=True):
        assert torch.equal(one, two)
        assert not torch.equal(one, three)
        assert 0.05 < one.square().mean().sqrt() < 50


def test_the_loss_is_zero_for_the_truth_and_of_order_one_for_nothing() -> None:
    loss = Perceptual(SEEDED)
    target = torch.randn(2, 1, 1, 32, 32)
    mask = torch.ones_like(target, dtype=torch.bool)
    assert loss(fields(target, target, mask)) == 0
    blank = loss(fields(torch.zeros_like(target), target, mask))
    mean_square = target.square().mean()
    assert 0.02 < blank / mean_square < 5


def test_missing_cells_do_not_count() -> None:
    loss = Perceptual(SEEDED)
    target = torch.randn(1, 1, 1, 32, 32)
    mask = torch.ones_like(target, dtype=torch.bool)
    mask[..., 4:9, 4:9] = False
    prediction = target + 0.1
    spoiled = torch.where(mask, prediction, 1e4)
    assert loss(fields(prediction, target, mask)) == loss(fields(spoiled, target, mask))


def test_its_features_are_no_part_of_the_models_weights() -> None:
    assert not list(Perceptual(SEEDED).parameters())
    assert not Perceptual(SEEDED).state_dict()
