"""Files as Eiger and Jungfrau write them: read everywhere where hdf5plugin is, and a sentence where it is not."""

import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from commands import LYSOZYME, command

from iota.hdf5_filters import KINDS
from iota.runs import RunFolder, read_ledger
from iota.web.image.pixel_server import PixelServer

BITSHUFFLE = 32008
_HIDE = """
import sys
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "hdf5plugin":
            raise ModuleNotFoundError("hidden by a test")
sys.meta_path.insert(0, Hidden())
"""


@pytest.fixture(scope="module")
def plugin() -> Path:
    """Folder of hdf5plugin, with filters of its own."""
    found = find_spec("hdf5plugin")
    place = Path(next(iter(found.submodule_search_locations))) if found else Path("nowhere")
    if not (place / "plugins").is_dir():
        pytest.skip("hdf5plugin is not here, or has no filters of its own: scripts/setup installs it")
    return place


@pytest.fixture(scope="module")
def without(tmp_path_factory) -> dict[str, str]:
    """Environment of processes on a machine without hdf5plugin."""
    folder = tmp_path_factory.mktemp("without")
    (folder / "sitecustomize.py").write_text(_HIDE)
    return clean() | {"PYTHONPATH": str(folder), **_nothing_of_the_system(folder)}


@pytest.fixture(scope="module")
def half(tmp_path_factory, plugin) -> dict[str, str]:
    """Environment of processes with an hdf5plugin that lacks bitshuffle."""
    folder = tmp_path_factory.mktemp("half")
    shutil.copytree(plugin, folder / "hdf5plugin", ignore=shutil.ignore_patterns("*bshuf*"))
    return clean() | {"PYTHONPATH": str(folder), **_nothing_of_the_system(folder)}


def _nothing_of_the_system(folder: Path) -> dict[str, str]:
    """Debian sid has a bitshuffle in the folder where HDF5 looks when it is told of no other."""
    (folder / "no_filters").mkdir()
    return {"HDF5_PLUGIN_PATH": str(folder / "no_filters")}


def clean() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in ("HDF5_PLUGIN_PATH", "PYTHONPATH")}


def ask(environment: dict[str, str], module: str, *arguments: object) -> str:
    done = subprocess.run(
        [sys.executable, "-m", f"iota.cli.{module}", *map(str, arguments)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout, done.stderr
    return done.stdout


def what_the_doctor_says(environment: dict[str, str]) -> dict[str, str]:
    found = json.loads(ask(environment, "doctor", "--json"))
    return next(check for check in found["checks"] if check["name"] == "HDF5 filters")


def test_the_doctor_reads_a_chunk_of_each_kind(plugin):
    check = what_the_doctor_says(clean())
    assert check["state"] == "good"
    assert check["found"].startswith(", ".join(kind.name for kind in KINDS) + " (hdf5plugin ")


def test_the_doctor_without_hdf5plugin(without):
    check = what_the_doctor_says(without)
    assert check["state"] == "note"
    assert check["found"].startswith("missing: ")
    assert "(hdf5plugin is not installed)" in check["found"]
    assert "--no-deps -r " in check["mend"]


def test_the_doctor_with_an_hdf5plugin_that_lacks_one_filter(half):
    check = what_the_doctor_says(half)
    assert check["state"] == "note"
    bitshuffle = ", ".join(kind.name for kind in KINDS if kind.number == BITSHUFFLE)
    others = ", ".join(kind.name for kind in KINDS if kind.number != BITSHUFFLE)
    assert check["found"].startswith(f"missing: {bitshuffle}; read: {others} (hdf5plugin ")
    assert "--no-deps --force-reinstall -r " in check["mend"]


# -- files


_PACK = """
import shutil, sys, h5py, hdf5plugin
source, target, name = sys.argv[1:]
shutil.copy(source, target)
with h5py.File(target, "r+") as file:
    values, attributes = file[name][()], dict(file[name].attrs)
    del file[name]
    chunks = (1, *values.shape[1:]) if values.ndim > 2 else values.shape
    file.create_dataset(name, data=values, chunks=chunks, **hdf5plugin.Bitshuffle(cname="lz4")).attrs.update(attributes)
"""


def pack(source: Path, target: Path, name: str) -> Path:
    """Write one data set anew with bitshuffle and LZ4; hdf5plugin is imported where nobody else notices."""
    subprocess.run([sys.executable, "-c", _PACK, source, target, name], check=True)
    return target


@pytest.fixture(scope="module")
def visit(tmp_path_factory, plugin) -> Path:
    """A folder with two stills: packed with gzip; with bitshuffle and LZ4; with a mask that is packed so."""
    folder = tmp_path_factory.mktemp("visit")
    words = ("-n", 2, "--format", "nxs", "--blank-fraction", 0, "--weak-fraction", 0, "--multi-fraction", 0)
    done = command("iota.simulate", folder / "gzip", *words, "--seed", 5, "--silent", cwd=folder)
    assert done.returncode == 0, done.stderr
    (plain,) = (folder / "gzip").glob("*.nxs")
    plain.rename(folder / "gzip_1.nxs")
    pack(folder / "gzip_1.nxs", folder / "bslz4_1.nxs", "entry/data/data")
    pack(folder / "gzip_1.nxs", folder / "mask_1.nxs", "entry/instrument/detector/pixel_mask")
    return folder


@pytest.fixture(scope="module")
def packed_run(visit) -> RunFolder:
    """A run over the stills that are packed with bitshuffle and LZ4."""
    done = command("iota.run", "bslz4_1.nxs", "-n", 2, *LYSOZYME, cwd=visit, env=clean())
    assert done.returncode == 0, done.stdout + done.stderr
    return RunFolder.open(visit / "integration" / "001")


def test_stills_that_are_packed_with_bitshuffle_are_processed_as_others(visit, packed_run):
    done = command("iota.run", "gzip_1.nxs", "-n", 2, *LYSOZYME, cwd=visit, env=clean())
    assert done.returncode == 0, done.stdout + done.stderr
    packed, plain = (
        {
            result.frame.index: (result.outcome, result.n_spots, result.lattices[0].n_integrated)
            for result in read_ledger(run.ledger)[0]
        }
        for run in (packed_run, RunFolder.open(visit / "integration" / "002"))
    )
    assert packed == plain
    assert [outcome for outcome, *_ in packed.values()] == ["integrated", "integrated"]


def test_the_viewer_shows_them_with_masks_and_spots(visit, packed_run, monkeypatch):
    monkeypatch.delenv("HDF5_PLUGIN_PATH", raising=False)
    server = PixelServer(limit_s=60)
    found = {}
    try:
        for name in ("gzip", "bslz4", "mask"):
            source = {"path": str(visit / f"{name}_1.nxs"), "index": 1, "target": str(packed_run.path / "target.phil")}
            region, _ = server.ask("region", source=source, panel=0, fast=500, slow=500)
            spots, _ = server.ask("spots", source=source)
            mask, _ = server.ask("mask", source=source, phil="border = 5", base=[])
            found[name] = (region, spots, mask)
    finally:
        server.close()
    assert found["bslz4"] == found["gzip"] == found["mask"]
    assert len(found["bslz4"][1]["n_pixels"]) > 40


@pytest.mark.parametrize("name", ["bslz4", "mask"])
def test_without_the_filter_the_reason_names_it_and_the_way_to_get_it(visit, without, half, name):
    machines = [(half, "python -m pip install --no-deps --force-reinstall hdf5plugin")]
    if find_spec("dials.util.table_as_hdf5_file") is None:  # DIALS 3.30 does not load without hdf5plugin
        machines.append((without, "It comes with hdf5plugin: python -m pip install --no-deps hdf5plugin."))
    for environment, remedy in machines:
        report = json.loads(ask(environment, "single_image", visit / f"{name}_1.nxs", "--json"))
        assert report["outcome"] == "failed_import"
        assert "HDF5 filter 32008 (bitshuffle with LZ4), which is not installed here." in report["reason"]
        assert remedy in report["reason"]
