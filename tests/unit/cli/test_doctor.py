"""iota.doctor: what it says of installations that are whole, half and broken."""

import importlib.metadata
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

import iota.cli.checks.cluster_checks as cluster_checks
import iota.cli.doctor as doctor
import iota.engine.backend.inspection as installation
from iota.cli.checks.package_checks import package_check
from iota.engine.backend.inspection import Installation, Package, inspect_installation
from iota.hdf5_filters import KINDS
from iota.installation import predecessor_warning
from iota.requirements.locks import Comparison, Pin

WHOLE = Installation(
    packages={
        name: Package("3.30", f"/opt/dials/{name}") for name in ("dials", "dxtbx", "cctbx", "numpy", "scipy", "h5py")
    },
    dials_version="3.30.1",
    filters={kind.name: True for kind in KINDS},
    hdf5plugin=Package("7.1"),
    has_prime=True,
)
DEBIAN = msgspec.structs.replace(
    WHOLE, dials_version="3.12", missing_compiled=list(installation.COMPILED), needs_mono_sim=True
)


def checks(found: Installation) -> dict[str, doctor.Check]:
    return {check.name: check for check in doctor.all_checks(found)}


def broken(name: str) -> Installation:
    return msgspec.structs.replace(WHOLE, packages=WHOLE.packages | {name: Package(error="ImportError: no")})


def test_a_whole_installation_has_nothing_wrong():
    assert {c.state for c in checks(WHOLE).values()} <= {"good", "absent", "note"}
    assert checks(WHOLE)["compiled modules"].state == "good"
    assert checks(WHOLE)["PRIME"].state == "good"


def test_debians_missing_modules_are_explained_and_runs_work():
    found = checks(DEBIAN)
    assert all(check.state != "bad" for check in found.values())
    for name in installation.COMPILED:
        assert name in found["compiled modules"].found
    assert "nothing to do" in found["compiled modules"].mend
    assert "prime_ext" in found["PRIME"].mend


def test_a_dials_that_does_not_ask_for_the_module_does_not_miss_it():
    newer = msgspec.structs.replace(WHOLE, missing_compiled=["xfel_mono_sim_ext"])
    assert checks(newer)["compiled modules"].state == "good"


@pytest.mark.parametrize(
    ("name", "check"), [("dials", "DIALS"), ("dxtbx", "DIALS"), ("numpy", "numpy"), ("h5py", "h5py")]
)
def test_what_does_not_import_is_wrong_and_can_be_mended(name, check):
    found = checks(broken(name))[check]
    assert found.state == "bad"
    assert "scripts/setup" in found.mend


@pytest.mark.parametrize(("error", "state"), [("", "note"), ("ImportError: numpy.core.multiarray", "bad")])
def test_a_newer_numpy_in_the_venv_is_found_out(error, state):
    hidden = msgspec.structs.replace(WHOLE, in_venv=["numpy", "h5py"], stills_process_error=error)
    assert checks(hidden)["numpy"].state == state
    assert "uninstall numpy" in checks(hidden)["numpy"].mend
    assert "uninstall h5py" in checks(hidden)["h5py"].mend


@pytest.mark.parametrize(
    ("lost", "plugin", "found", "mend"),
    [
        ("LZ4", Package("", error="not installed"), "hdf5plugin is not installed", "--no-deps -r "),
        ("LZ4", Package("7.1", error="installed without filters"), "7.1 is installed without", "--force-reinstall -r "),
        ("LZ4", Package("7.1"), "(hdf5plugin 7.1)", "filters.lock; most files from Eiger"),
        ("ZFP", Package("7.1"), "(hdf5plugin 7.1)", "only files compressed this way"),
    ],
)
def test_missing_filters_are_named(lost, plugin, found, mend):
    some = msgspec.structs.replace(WHOLE, filters=WHOLE.filters | {lost: False}, hdf5plugin=plugin)
    check = checks(some)["HDF5 filters"]
    assert check.state == "note"
    assert check.found.startswith(f"missing: {lost}; read: bitshuffle, ")
    assert found in check.found
    assert mend in check.mend


RICH = Pin("rich", "15.0.0")


@pytest.mark.parametrize(
    ("found", "state", "said", "mend"),
    [
        (Comparison("debian-12", 58, [], [], []), "good", "58, as this IOTA was tested with them", ""),
        (
            Comparison("debian-12", 58, [(RICH, "14.0")], [], ["run"]),
            "note",
            "1 of 58 in versions with which this IOTA was not tested: rich 14.0 (tested: 15.0.0)",
            "run.lock",
        ),
        (
            Comparison("debian-12", 58, [(RICH, "14.0")], ["pebble"], ["run"]),
            "bad",
            "not installed: pebble; ",
            "run.lock",
        ),
        (Comparison("debian-12", 58, [], ["numba"], []), "bad", "numba", "apt-get install python3-numba"),
    ],
)
def test_packages_beside_their_lock(found, state, said, mend):
    check = package_check(found)
    assert check.state == state
    assert said in check.found
    assert mend in check.mend
    assert ("pip install" in check.mend) is ("lock" in mend)


def test_the_doctor_speaks_without_what_it_is_written_with():
    without = "import sys; sys.modules['rich'] = None; from iota.cli.start import doctor; sys.exit(doctor())"
    done = subprocess.run([sys.executable, "-c", without], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("iota.doctor: these Python packages are not installed: rich. ")
    assert "--require-hashes" in done.stderr
    assert "Traceback" not in done.stderr


def test_viewer_and_display(monkeypatch):
    monkeypatch.setattr(doctor, "program", {"dials.image_viewer": "/usr/bin/viewer"}.get)
    monkeypatch.setenv("DISPLAY", ":7")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr(importlib.metadata, "version", lambda _: "4.2.0")
    found = checks(DEBIAN)
    assert found["display"].found == "DISPLAY=:7"
    assert found["image viewer"].state == "note"
    assert checks(WHOLE)["image viewer"].state == "good"


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """Makes the only programs there are, from shell scripts."""
    monkeypatch.setenv("PATH", str(tmp_path))

    def make(**scripts):
        for name, script in scripts.items():
            (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
            (tmp_path / name).chmod(0o755)

    return make


def cluster() -> dict[str, doctor.Check]:
    return {check.name: check for check in cluster_checks.cluster_checks()}


def test_one_machine_needs_no_cluster(programs):
    found = cluster()
    assert found["batch systems"].state == "absent"
    assert found["MPI"].state == "absent"
    assert "openmpi-bin" in found["MPI"].mend
    assert not [check for check in found.values() if check.state == "bad"]


def test_batch_systems_are_told_apart_and_asked(programs, tmp_path):
    programs(sbatch="", squeue="echo 7; echo 8", qsub="", qconf="", qstat="echo no master >&2; exit 1")
    found = cluster()
    assert found["Slurm"].state == "good"
    assert found["Slurm"].found == f"{tmp_path}/sbatch; mp.method=slurm; responding, with 2 of your jobs in the queue"
    assert found["SGE"].state == "note"
    assert "no master" in found["SGE"].found
    assert "PBS or Torque" not in found
    programs(pbsnodes="", qstat="")
    assert "mp.method=pbs, for Torque torq" in cluster()["PBS or Torque"].found


@pytest.mark.parametrize(
    ("missing", "state", "mend"),
    [
        ((), "good", ""),
        (("dask-jobqueue", "distributed", "cryptography"), "note", "/cluster.lock"),
        (("cryptography",), "note", "without encryption"),
    ],
)
def test_dask_is_missed_where_there_is_a_batch_system(programs, monkeypatch, missing, state, mend):
    programs(sbatch="", squeue="")
    monkeypatch.setattr(cluster_checks, "_version", lambda package: "" if package in missing else "1.0")
    check = cluster()["Dask for batch systems"]
    assert check.state == state
    assert mend in check.mend


def test_mpi_needs_a_library_that_mpi4py_can_load(programs, monkeypatch):
    programs(mpirun="")
    monkeypatch.setattr(cluster_checks, "_version", lambda _: "")
    assert "/mpi.lock" in cluster()["MPI"].mend
    monkeypatch.setattr(cluster_checks, "_version", lambda _: "4.1")
    monkeypatch.setattr(cluster_checks, "_MPI_PROBE", "raise RuntimeError('cannot load MPI library')")
    assert "cannot load MPI library" in cluster()["MPI"].found
    monkeypatch.setattr(cluster_checks, "_MPI_PROBE", "print('Open MPI v4.1.4')")
    assert "mpi4py 4.1 with Open MPI v4.1.4" in cluster()["MPI"].found


@pytest.mark.parametrize(("found", "status"), [(WHOLE, 0), (broken("dials"), 1), (Installation(error="It died."), 1)])
def test_exit_status_and_json(monkeypatch, capsys, found, status):
    monkeypatch.setattr(doctor, "inspect_installation", lambda: found)
    assert doctor.main(["--json"]) == status
    answer = json.loads(capsys.readouterr().out)
    assert answer["ready"] is (status == 0)
    assert {"name", "state", "found", "mend"} == set(answer["checks"][0])
    assert doctor.main([]) == status
    said = capsys.readouterr().out
    assert ("WRONG" in said) is bool(status), "not told by colour alone"


@pytest.fixture
def original_iota(tmp_path, monkeypatch):
    info = tmp_path / "iota-1.7.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: iota\nVersion: 1.7.2\n")
    monkeypatch.syspath_prepend(str(tmp_path))


def test_the_original_iota_is_noticed(original_iota, tmp_path):
    warning = predecessor_warning()
    assert warning is not None
    assert "1.7.2" in warning
    assert str(tmp_path) in warning
    check = checks(WHOLE)["the original IOTA"]
    assert check.state == "note"
    assert check.mend.endswith("pip uninstall iota")


def test_no_warning_without_it():
    assert predecessor_warning() is None


@pytest.mark.parametrize(
    ("function", "seconds", "asked", "words"),
    [
        ("crash", 20, 10, "has no result because its process was killed (signal 10): cannot open libboost."),
        ("hang", 1, "", "was ended after 1 s."),
    ],
)
def test_a_dials_that_crashes_or_hangs_is_a_finding(monkeypatch, function, seconds, asked, words):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    bad = replace(installation.INSPECTION, function=f"made_up_answers:{function}", seconds=seconds)
    monkeypatch.setattr(installation, "INSPECTION", SimpleNamespace(ask=lambda _: bad.ask(asked)))
    assert inspect_installation().error == f"Loading DIALS {words}"
