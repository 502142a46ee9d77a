"""The tampering matrix: what was done to a copy, and what `whence` says of it."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import little_history as little
import numpy as np
import pytest
import xarray as xr
import zarr

from wxreg.audit.whence import whence, whence_all
from wxreg.audit.workplace import Workplace
from wxreg.data.forecast_files import export_netcdf
from wxreg.data.forecast_index import index_beside, read_index
from wxreg.ledger.store import Ledger

HOUR, START = little.HOUR, little.START


def loaded(path: Path) -> xr.Dataset:
    return xr.open_zarr(path, consolidated=False, decode_timedelta=True).load()


def to_zarr(data: xr.Dataset, path: Path, **encoding) -> Path:
    data.drop_encoding().to_zarr(path, consolidated=False, encoding=encoding)
    return path


def copied(source: Path, target: Path) -> Path:
    shutil.copytree(source, target)
    return target


def moved(source: Path, folder: Path) -> Path:
    return copied(source, folder / "moved.zarr")


def exported(source: Path, folder: Path) -> Path:
    export_netcdf(source, folder / "export.nc")
    return folder / "export.nc"


def stripped(source: Path, folder: Path) -> Path:
    """Neither names nor attributes nor coordinates are left."""
    data = loaded(source)
    bare = {f"v{n}": (tuple("abcde"), data[name].values) for n, name in enumerate(data.data_vars)}
    return to_zarr(xr.Dataset(bare), folder / "s.zarr")


def renamed_attributes(source: Path, folder: Path) -> Path:
    data = loaded(source)
    data.attrs = {"title": "somebody else's forecast"}
    return to_zarr(data.rename({"refc": "reflectivity"}), folder / "r.zarr")


def flipped(source: Path, folder: Path) -> Path:
    return to_zarr(loaded(source).isel(y=slice(None, None, -1)), folder / "f.zarr")


def flipped_and_stripped(source: Path, folder: Path) -> Path:
    bare = loaded(stripped(source, folder))
    return to_zarr(bare.isel(d=slice(None, None, -1)), folder / "fs.zarr")


def widened(source: Path, folder: Path) -> Path:
    return to_zarr(loaded(source).astype("f8"), folder / "w.zarr")


def byte_swapped(source: Path, folder: Path) -> Path:
    loaded(source).astype(">f8").drop_encoding().drop_attrs().to_netcdf(
        folder / "b.nc", engine="h5netcdf"
    )
    return folder / "b.nc"


def classic(source: Path, folder: Path) -> Path:
    data = loaded(source).drop_encoding().drop_attrs()
    data.to_netcdf(folder / "c.nc", engine="scipy")
    return folder / "c.nc"


def rechunked(source: Path, folder: Path) -> Path:
    data = loaded(source)
    return to_zarr(data, folder / "c.zarr", refc={"chunks": (2, 1, 2, 3, 4), "compressors": None})


def one_variable(source: Path, folder: Path) -> Path:
    return to_zarr(loaded(source)[["t2m"]], folder / "v.zarr")


def one_time(source: Path, folder: Path) -> Path:
    return to_zarr(loaded(source).isel(init_time=1, lead_time=0), folder / "t.zarr")


def one_stripped_field(source: Path, folder: Path) -> Path:
    field = loaded(source).t2m.values[1, 1, 1]
    return to_zarr(xr.Dataset({"x": (("r", "c"), field)}), folder / "o.zarr")


def with_another_variable(source: Path, folder: Path) -> Path:
    data = loaded(source)
    return to_zarr(data.assign(mine=data.t2m * 2), folder / "a.zarr")


UNHARMED = [
    moved, exported, stripped, renamed_attributes, flipped, flipped_and_stripped, widened,
    byte_swapped, classic, rechunked, one_variable, one_time, one_stripped_field,
    with_another_variable,
]  # fmt: skip


@pytest.mark.parametrize("change", UNHARMED, ids=lambda change: change.__name__)
def test_harmless_copies_are_proved_by_their_fields(shared, tmp_path, change):
    made = change(shared.forecast, tmp_path)
    answer = whence(made, shared.here)
    assert (answer.status, answer.differences) == ("verified", ())
    assert answer.chain["checkpoint"]["sha256"] == shared.checkpoint_sha
    assert answer.chain["training_run"]["id"] == little.TRAIN
    assert answer.chain["sampling_run"]["id"] == little.SAMPLE
    assert answer.subject["rows_turned"] is ("flipped" in change.__name__)


def edit(path: Path, name: str, place: tuple, new: Callable) -> Path:
    array = zarr.open_group(path, mode="r+")[name]
    array[place] = new(array[place])
    return path


def next_up(values):
    return np.nextafter(values, np.float32(1e9), dtype=np.float32)


def one_ulp(path: Path) -> None:
    edit(path, "t2m", (1, 0, 1, 2, 3), next_up)


def blanked_field(path: Path) -> None:
    edit(path, "t2m", (0, 1, 0), lambda v: np.full_like(v, np.nan))


def dry_field_made_wet(path: Path) -> None:
    edit(path, "refc", (0, 0, 0), lambda v: v + np.arange(v.size).reshape(v.shape))


def flipped_bit_in_a_chunk(path: Path) -> None:
    chunk = path / "t2m" / "c" / "1" / "0" / "0" / "0" / "0"
    content = bytearray(chunk.read_bytes())
    content[10] ^= 1
    chunk.write_bytes(content)


def deleted_shard(path: Path) -> None:
    shutil.rmtree(path / "t2m" / "c" / "1")


def swapped_members(path: Path) -> None:
    edit(path, "t2m", (0, 0), lambda v: v[::-1])


def moved_init(path: Path) -> None:
    edit(path, "init_time", (1,), lambda v: v + 86400)


def other_checkpoint_claimed(path: Path) -> None:
    about = json.loads((path / "zarr.json").read_text())
    about["attributes"]["wxreg"]["claim"]["checkpoint"] = "9" * 64
    (path / "zarr.json").write_text(json.dumps(about))


def other_root_claimed(path: Path) -> None:
    about = json.loads((path / "zarr.json").read_text())
    about["attributes"]["wxreg"]["merkle"] = "9" * 64
    (path / "zarr.json").write_text(json.dumps(about))


def index_edited(path: Path) -> None:
    place = index_beside(path)
    place.write_text(place.read_text().replace(read_index(path)[3].digest, "7" * 64))


def record_edited(path: Path) -> None:
    place = path.with_name(path.name + ".reg.json")
    body = json.loads(place.read_text())
    place.write_text(json.dumps({**body, "sha256": "7" * 64}))


FIRST = {"init": START, "lead": HOUR, "member": 0}
HARMED = [
    (one_ulp, "field", {"variable": "t2m", "init": START + HOUR, "lead": HOUR, "member": 1}, 1),
    (blanked_field, "field", {"variable": "t2m", "lead": 2 * HOUR, "member": 0}, 1),
    (dry_field_made_wet, "field", {"variable": "refc", **FIRST}, 1),
    (flipped_bit_in_a_chunk, "field", {"variable": "t2m", "init": START + HOUR}, None),
    (deleted_shard, "field", {"variable": "t2m", "init": START + HOUR}, 4),
    (swapped_members, "place", {"variable": "t2m", **FIRST}, 2),
    (moved_init, "place", {"init": START + HOUR + 86400}, 8),
    (other_checkpoint_claimed, "claim", {"place": "checkpoint"}, 1),
    (other_root_claimed, "claim", {"place": "merkle"}, 1),
    (index_edited, "index", {}, 1),
    (record_edited, "record", {}, 1),
]


@pytest.mark.parametrize(
    "damage, kind, where, count", HARMED, ids=lambda v: getattr(v, "__name__", "")
)
def test_damage_is_found_and_located(history, damage, kind, where, count):
    damage(history.forecast)
    answer = whence(history.forecast, history.here)
    assert answer.status == "tampered"
    assert answer.chain["checkpoint"]["sha256"] == history.checkpoint_sha
    assert {found.kind for found in answer.differences} == {kind}
    assert count is None or len(answer.differences) == count
    first = answer.differences[0].as_json()
    assert {key: first[key] for key in where} == where


IN_A_COPY = [row for row in HARMED if row[0] not in (index_edited, record_edited)]


@pytest.mark.parametrize(
    "damage, kind, where, count", IN_A_COPY, ids=lambda v: getattr(v, "__name__", "")
)
def test_damage_in_a_copy_is_found_with_the_index_of_the_original(
    shared, tmp_path, damage, kind, where, count
):
    copy = copied(shared.forecast, tmp_path / "copy.zarr")
    damage(copy)
    answer = whence(copy, shared.here)
    assert answer.status == "tampered"
    first = answer.differences[0].as_json()
    assert {key: first[key] for key in where} == where


def test_damage_is_located_by_the_ledger_alone_when_the_original_is_gone(history, tmp_path):
    copy = tmp_path / "copy.zarr"
    shutil.move(history.forecast, copy)
    index_beside(history.forecast).unlink()
    assert whence(copy, history.here).status == "verified"
    one_ulp(copy)
    answer = whence(copy, history.here)
    assert answer.status == "tampered" and answer.subject["evidence"].startswith("64 bits")
    (found,) = answer.differences
    assert (found.variable, found.init, found.lead, found.member) == ("t2m", START + HOUR, HOUR, 1)


def test_a_forecast_edited_together_with_its_claim_and_index_is_found_through_the_ledger(history):
    """The forger writes the whole store anew, with a root and index that agree."""
    path = history.forecast
    about = json.loads((path / "zarr.json").read_text())["attributes"]["wxreg"]
    edit(path, "t2m", (1, 0, 1), lambda v: v + np.float32(1))
    forged = path.with_name("forged.zarr")
    values = loaded(path)
    shutil.rmtree(path)
    index_beside(path).unlink()
    claim = {**about["claim"], "checkpoint": "9" * 64}
    outline = about["outline"]
    layout_values = np.stack([values.refc.values, values.t2m.values], axis=3)
    from wxreg.data.forecast_files import ForecastWriter
    from wxreg.data.forecast_layout import ForecastLayout

    layout = ForecastLayout(
        tuple(outline["channels"]), tuple(outline["inits"]), tuple(outline["leads"]), 2, 2,
        values.y.values, values.x.values, values.lat.values, values.lon.values,
    )  # fmt: skip
    with ForecastWriter(forged, layout, claim) as writer:
        for number, init in enumerate(layout.inits):
            block = np.ascontiguousarray(layout_values[number].swapaxes(0, 1))
            writer.write(init, 0, block)
        writer.finish()
    alone = whence(forged, Workplace())
    assert alone.status == "claimed"  # it agrees with itself
    answer = whence(forged, history.here)
    assert answer.status == "tampered"
    kinds = {found.kind for found in answer.differences}
    assert kinds == {"field", "claim", "index"}
    assert answer.chain["checkpoint"]["sha256"] == history.checkpoint_sha


def test_without_a_ledger_a_file_only_claims(shared, tmp_path):
    answer = whence(shared.forecast, Workplace())
    assert (answer.status, answer.differences) == ("claimed", ())
    assert answer.chain["checkpoint"]["sha256"] == shared.checkpoint_sha
    assert answer.chain["sampling_run"]["seed"] == 0
    keys = ["status", "subject", "checkpoint", "training_run", "plan", "data", "statistics"]
    keys += ["code", "environment", "sampling_run", "differences"]
    assert list(answer.as_json()) == keys
    json.dumps(answer.as_json())


@pytest.mark.parametrize("damage", [one_ulp, flipped_bit_in_a_chunk, swapped_members])
def test_offline_the_index_beside_still_locates_damage(history, damage):
    damage(history.forecast)
    answer = whence(history.forecast, Workplace())
    assert answer.status == "tampered" and answer.differences[0].variable == "t2m"


def test_offline_a_whole_copy_without_index_is_held_against_its_claimed_root(shared, tmp_path):
    copy = copied(shared.forecast, tmp_path / "copy.zarr")
    assert whence(copy, Workplace()).status == "claimed"
    assert whence(flipped(copy, tmp_path), Workplace()).status == "claimed"
    one_ulp(copy)
    assert whence(copy, Workplace()).status == "tampered"


def test_a_ledger_of_another_workspace_proves_nothing(shared, tmp_path):
    other = Ledger(tmp_path / "ledger.db")
    answer = whence(shared.forecast, Workplace(tmp_path, other))
    assert answer.status == "claimed"
    bare = stripped(shared.forecast, tmp_path)
    assert whence(bare, Workplace(tmp_path, other)).status == "unknown"


def test_fields_that_two_forecasts_hold_are_ambiguous(history, tmp_path):
    side = little.side_of(history)
    run = "sample-20261121-030303-cccccc"
    longer = little.sampled(
        history.root, history.ledger, run, history.checkpoint_sha, side, inits=3
    )
    field = one_stripped_field(history.forecast, tmp_path)
    answer = whence(field, history.here)
    assert answer.status == "ambiguous" and len(answer.subject["candidates"]) == 2
    assert whence(history.forecast, history.here).status == "verified"
    assert whence(longer, history.here).chain["sampling_run"]["id"] == run


def test_a_file_put_together_from_two_forecasts_is_ambiguous(history, tmp_path):
    run = "sample-20261121-030303-cccccc"
    side = little.side_of(history)
    other = little.sampled(history.root, history.ledger, run, history.checkpoint_sha, side, seed=5)
    parts = [loaded(path).t2m.values for path in (history.forecast, other)]
    mixed = xr.Dataset({"x": (tuple("abcde"), np.concatenate(parts))})
    answer = whence(to_zarr(mixed, tmp_path / "m.zarr"), history.here)
    assert answer.status == "ambiguous" and len(answer.subject["candidates"]) == 2


def test_constant_fields_prove_nothing_alone(history, tmp_path):
    dry = loaded(history.forecast).refc.values[0, 0, 0]
    path = to_zarr(xr.Dataset({"x": (("r", "c"), dry)}), tmp_path / "dry.zarr")
    answer = whence(path, history.here)
    assert answer.status == "unknown" and "constant" in answer.subject["notes"][0]


def test_a_field_of_nobody_is_unknown_and_a_damaged_field_of_ours_is_not(shared, tmp_path):
    noise = np.random.default_rng(9).normal(size=(3, 4, 5)).astype("f4")
    path = to_zarr(xr.Dataset({"x": (tuple("abc"), noise)}), tmp_path / "n.zarr")
    assert whence(path, shared.here).status == "unknown"
    (tmp_path / "x.grib2").write_bytes(b"GRIB" + b"\0" * 100)
    assert "loss" in whence(tmp_path / "x.grib2", shared.here).subject["notes"][0]


def test_fields_of_absurd_size_are_told_and_never_read(shared, tmp_path):
    path = tmp_path / "bomb.nc"
    with h5py.File(path, "w") as made:
        chunks = (1, 100, 30_000)
        made.create_dataset("t2m", (1, 30_000, 30_000), "f4", chunks=chunks, compression="gzip")
    answer = whence(path, shared.here)
    assert answer.status == "unknown" and answer.subject["fields"] == {"read": 0, "matched": 0}
    assert "1 of the 1 fields cannot be read: t2m: it claims" in " ".join(answer.subject["notes"])


def test_every_value_changed_but_the_claim_kept_is_tampered(shared, tmp_path):
    path = to_zarr(
        loaded(shared.forecast).map(lambda a: a * 2, keep_attrs=True), tmp_path / "d.zarr"
    )
    answer = whence(path, shared.here)
    assert answer.status == "tampered"
    assert answer.chain["sampling_run"]["id"] == little.SAMPLE


def test_a_folder_is_told_file_by_file(shared, tmp_path):
    one_variable(shared.forecast, tmp_path)
    one_ulp(copied(shared.forecast, tmp_path / "x.zarr"))
    (tmp_path / "broken.nc").write_bytes(b"\x89HDF\r\n\x1a\n" + b"\0" * 90)
    (tmp_path / "deeper").mkdir()
    exported(shared.forecast, tmp_path / "deeper")
    found = {
        Path(one.subject["path"]).name: one.status for one in whence_all(tmp_path, shared.here)
    }
    assert found == {"v.zarr": "verified", "x.zarr": "tampered", "broken.nc": "tampered",
                     "export.nc": "verified"}  # fmt: skip


def test_the_matrix_names_every_change():
    text = Path(__file__).with_name("tampering.md").read_text()
    told = re.findall(r"^\| `(\w+)` \| (\w+):", text, re.MULTILINE)
    assert told == [
        *((change.__name__, "verified") for change in UNHARMED),
        *((row[0].__name__, "tampered") for row in HARMED),
    ]


@pytest.mark.slow
def test_a_folder_of_thousands_is_one_table(shared, tmp_path):
    """Two thousand files of one field each, one of them with another value."""
    source = tmp_path / "one.nc"
    loaded(shared.forecast).isel(
        init_time=1, lead_time=0, member=[0]
    ).t2m.drop_encoding().to_netcdf(source, engine="h5netcdf")
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(2000):
        shutil.copy(source, folder / f"{number:04}.nc")
    with h5py.File(folder / "1234.nc", "r+") as file:
        file["t2m"][..., 2, 3] += 1
    found = list(whence_all(folder, shared.here))
    assert len(found) == 2000
    assert [one.status for one in found].count("verified") == 1999
    assert found[1234].status != "verified"
