"""What tests of all kinds share."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from commands import LYSOZYME, SHARED, THAUMATIN, command

from iota.runs import RunFolder


@pytest.fixture(scope="session")
def thaumatin() -> Path:
    """Folder of 12 real stills, 0016 and 0018 blank; not part of the project."""
    folder = SHARED / "thaumatin_stills"
    if not folder.is_dir():
        pytest.skip(f"the real stills are not here: {folder} (set IOTA_SHARED_DATA)")
    return folder


@pytest.fixture(scope="session")
def git() -> str:
    """Program that knows which files are part of the project."""
    program = shutil.which("git")
    if program is None:
        pytest.skip("git is not here, which lists the files of the project")
    return program


@pytest.fixture(scope="session")
def lysozyme(tmp_path_factory) -> Path:
    """Folder of 12 simulated lysozyme stills, some blank."""
    folder = tmp_path_factory.mktemp("lysozyme") / "images"
    done = command("iota.simulate", folder, "-n", 12, "--seed", 3, "--multi-fraction", 0, cwd=folder.parent)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="session")
def determined_run(lysozyme) -> RunFolder:
    """A finished run over the simulated stills, with nothing known."""
    done = command("iota.run", lysozyme, "-n", 2, cwd=lysozyme.parent)
    assert done.returncode == 0, done.stdout + done.stderr
    return RunFolder.open(lysozyme.parent / "integration" / "001")


@pytest.fixture(scope="session")
def known_run(lysozyme, tmp_path_factory) -> RunFolder:
    """A finished run over the simulated stills, with cell and space group given."""
    folder = tmp_path_factory.mktemp("known")
    done = command("iota.run", lysozyme, "-n", 2, *LYSOZYME, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return RunFolder.open(folder / "integration" / "001")


@pytest.fixture(scope="session")
def known_thaumatin_run(thaumatin, tmp_path_factory) -> RunFolder:
    """A finished run over the real stills, with cell and space group given."""
    folder = tmp_path_factory.mktemp("known_thaumatin")
    done = command("iota.run", thaumatin, "-n", 2, *THAUMATIN, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return RunFolder.open(folder / "integration" / "001")
