"""scripts/setup, with stand-ins for what it would install with: nothing is installed by these tests."""

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# what the script itself needs of the system
TOOLS = "bash cat cksum dirname env flock grep head mktemp readlink rm sed tail touch mkdir ln cp python3".split()  # noqa: SIM905


@pytest.fixture
def bare(tmp_path):
    """A checkout on a machine without DIALS and with nothing but the tools above."""
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    shutil.copytree(ROOT / "scripts", checkout / "scripts", ignore=shutil.ignore_patterns("node_modules"))
    shutil.copy(ROOT / "pyproject.toml", checkout)
    broken = tmp_path / "broken" / "dials"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise ImportError('stands in for a machine without DIALS')")
    programs = tmp_path / "bin"
    programs.mkdir()
    for tool in TOOLS:
        (programs / tool).symlink_to(shutil.which(tool))
    fake_program(tmp_path, "id", "echo 1000")
    return tmp_path


def fake_program(folder: Path, name: str, does: str = "") -> None:
    """Make a program that notes how it was called."""
    path = folder / "bin" / name
    path.write_text(f'#!/bin/bash\necho "{name} $*" >>"{folder}/called"\n{does}\n')
    path.chmod(0o755)


def set_up(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": str(folder / "bin"), "PYTHONPATH": str(folder / "broken"), "HOME": str(folder)}
    return subprocess.run(
        ["bash", str(folder / "checkout" / "scripts" / "setup"), *arguments],
        env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def called(folder: Path) -> list[str]:
    lines = (folder / "called").read_text().splitlines()
    return [line for line in lines if not line.startswith("id ")]


def test_without_dials_and_installers_it_says_what_to_do(bare):
    done = set_up(bare)
    assert done.returncode == 2
    assert "apt-get install dials" in done.stderr
    assert "IOTA_PYTHON" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_option_that_is_none_changes_nothing(bare):
    done = set_up(bare, "--development")
    assert done.returncode == 2
    assert "no option '--development'; there are --dev and --quiet" in done.stderr
    assert not (bare / "checkout" / ".venv").exists()


def test_apt_is_asked_as_root(bare):
    fake_program(bare, "id", "echo 0")
    fake_program(bare, "apt-get")
    fake_program(bare, "apt-cache", "echo 'dials | 3.12 | here'")
    fake_program(bare, "micromamba")
    done = set_up(bare)
    apt = [line for line in called(bare) if line.startswith("apt-get")]
    assert apt[0].endswith(" update")
    assert apt[1].endswith(" install dials python3-venv")
    assert not any(line.startswith("micromamba") for line in called(bare))
    assert "Installing DIALS with apt" in done.stdout
    assert "cannot be imported" in done.stderr, "the stand-in installed nothing"


def test_apt_is_asked_through_sudo(bare):
    fake_program(bare, "sudo", 'while [[ ${1:-} == -* ]]; do shift; done; "$@"')
    fake_program(bare, "true")
    fake_program(bare, "apt-get")
    fake_program(bare, "apt-cache", "echo 'dials | 3.12 | here'")
    set_up(bare)
    assert any(line.startswith("sudo env DEBIAN_FRONTEND=noninteractive apt-get") for line in called(bare))
    assert any(line.startswith("apt-get") and line.endswith(" install dials python3-venv") for line in called(bare))


@pytest.mark.parametrize("conda", ["mamba", "micromamba", "conda"])
def test_conda_where_apt_has_no_dials(bare, conda):
    fake_program(bare, "id", "echo 0")
    fake_program(bare, "apt-get")
    fake_program(bare, "apt-cache")
    fake_program(bare, conda, 'mkdir -p "$4"')
    set_up(bare)
    (line,) = [line for line in called(bare) if line.startswith(conda)]
    assert f"create --yes --prefix {bare}/checkout/.venv-conda --channel conda-forge" in line
    assert (bare / "checkout" / ".venv-conda" / ".gitignore").read_text() == "*\n"


def test_what_a_failed_step_says_is_shown(bare):
    fake_program(bare, "id", "echo 0")
    fake_program(bare, "apt-get", "echo E: no network >&2; exit 100")
    done = set_up(bare)
    assert done.returncode == 2
    assert "E: no network" in done.stderr
    assert "FAILED" in done.stdout


@pytest.mark.skipif(not (ROOT / ".venv" / "setup.stamp").exists(), reason=".venv was not made by scripts/setup")
def test_the_second_time_it_does_nothing_in_under_a_second():
    start = time.perf_counter()
    done = subprocess.run([ROOT / "scripts" / "setup"], capture_output=True, text=True, env=os.environ)
    if "nothing to do" not in done.stdout:
        pytest.skip("something changed since the last set-up: " + done.stdout)
    assert time.perf_counter() - start < 1
    assert subprocess.run([ROOT / "scripts" / "setup", "--quiet"], capture_output=True).stdout == b""
