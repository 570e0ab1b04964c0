"""Fixtures of tests with the real backend."""

from pathlib import Path

import pytest
from commands import command

from iota.engine.installation import prepare
from iota.runs import RunFolder

prepare()


@pytest.fixture(scope="session")
def lysozyme(tmp_path_factory) -> Path:
    """Folder of 12 simulated lysozyme stills, some blank."""
    folder = tmp_path_factory.mktemp("lysozyme") / "images"
    done = command("iota.simulate", folder, "-n", 12, "--seed", 3, "--multi-fraction", 0, cwd=folder.parent)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="session")
def learnt_run(lysozyme) -> RunFolder:
    """A finished run over the simulated stills, with nothing known."""
    done = command("iota.run", lysozyme, "-n", 2, cwd=lysozyme.parent)
    assert done.returncode == 0, done.stdout + done.stderr
    return RunFolder.open(lysozyme.parent / "integration" / "001")
