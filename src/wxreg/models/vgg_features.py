"""The layers of VGG16 that perceptual losses look at, with weights from a hashed file.

The names are those of the published network (``features.0.weight`` …), so that a converted
copy of its weights fits.  Without a file there is one declared alternative: random features
from a seed, which see texture but know no images.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from safetensors.torch import load
from torch import Tensor, nn

from wxreg.errors import IntegrityError, NotFound

PUBLISHED_WIDTHS = (64, 128, 256, 512)
_CONVOLUTIONS = (2, 2, 3, 3)
_IMAGE_MEAN = (0.485, 0.456, 0.406)
_IMAGE_STD = (0.229, 0.224, 0.225)


class VGGFeatures(nn.Module):
    """Features after relu1_2, relu2_2, relu3_3 and relu4_3; its weights never train."""

    image_mean: Tensor
    image_std: Tensor

    def __init__(self, widths: tuple[int, int, int, int] = PUBLISHED_WIDTHS) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        self.taps: list[int] = []
        channels = 3
        for stage, (width, count) in enumerate(zip(widths, _CONVOLUTIONS, strict=True)):
            if stage:
                layers.append(nn.MaxPool2d(2, ceil_mode=True))
            for _ in range(count):
                layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
                channels = width
            self.taps.append(len(layers) - 1)
        self.features = nn.Sequential(*layers)
        shape = (1, 3, 1, 1)
        self.register_buffer("image_mean", torch.tensor(_IMAGE_MEAN).view(shape), persistent=False)
        self.register_buffer("image_std", torch.tensor(_IMAGE_STD).view(shape), persistent=False)
        self.requires_grad_(False)

    def forward(self, grey: Tensor) -> list[Tensor]:
        """The four features of grey images ``(B, 1, Y, X)`` with values from 0 to 1."""
        hidden = (grey - self.image_mean) / self.image_std
        found: list[Tensor] = []
        for place, layer in enumerate(self.features):
            hidden = layer(hidden)
            if place in self.taps:
                found.append(hidden)
        return found


def published_features(weights: Path, sha256: str) -> VGGFeatures:
    """VGG16 with the weights of a safetensors file, refused unless its SHA-256 is ``sha256``."""
    content = _read_whole(weights)
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise IntegrityError(
            "REG-542",
            f"the VGG16 weights have SHA-256 {found[:12]}, the declared one is {sha256[:12]}",
            where=str(weights),
            hint="fetch the declared file again, or declare `features: seeded-random-features`",
        )
    network = VGGFeatures()
    tensors = load(content)
    needed = network.state_dict()
    missing = sorted(name for name in needed if name not in tensors)
    if missing or any(tensors[name].shape != value.shape for name, value in needed.items()):
        raise IntegrityError(
            "REG-542",
            f"the file does not hold VGG16: {', '.join(missing) or 'other tensor shapes'}",
            where=str(weights),
            hint="declare a safetensors file with the names of the published VGG16",
        )
    network.load_state_dict({name: tensors[name] for name in needed})
    return network


def seeded_random_features(seed: int, widths: tuple[int, int, int, int]) -> VGGFeatures:
    """The same layers with random weights that keep the size of the signal."""
    generator = torch.Generator().manual_seed(seed)
    network = VGGFeatures(widths)
    for layer in network.features:
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
            nn.init.zeros_(layer.bias) if layer.bias is not None else None
    return network


def _read_whole(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise NotFound(
            "REG-340",
            "the declared VGG16 weights are not there",
            where=str(path),
            hint="fetch the file, or declare `features: seeded-random-features`",
        ) from error
