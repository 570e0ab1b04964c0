"""The wheel, installed where DIALS is and this checkout is not: all commands, their data files, and one image."""

import http.cookiejar
import os
import re
import subprocess
import sys
import sysconfig
import urllib.request
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest
import tomllib
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from iota.requirements import locks

ROOT = Path(__file__).parents[2]
COMMANDS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
NO_VERSION = {"iota.simulate", "iota.image_viewer"}  # these answer -h only
HERE = Path(sysconfig.get_path("purelib"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder], cwd=ROOT, check=True)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def environment(wheel, tmp_path_factory) -> Path:
    """A virtual environment on the Python of DIALS, as docs/howto/install.md says, with the wheel in it.

    What the wheel asks for is taken from the environment of the tests, by links, so that no network is needed; what
    only developers need is not there. pip checks that nothing is missing.
    """
    folder = tmp_path_factory.mktemp("installed") / "env"
    base = Path(sys._base_executable)
    subprocess.run([base, "-m", "venv", "--system-site-packages", folder], check=True)
    for part in ("lib/cctbx", "share/cctbx"):
        if Path(sys.base_prefix, part).is_dir():
            (folder / part).parent.mkdir(exist_ok=True)
            (folder / part).symlink_to(Path(sys.base_prefix, part))
    (site,) = folder.glob("lib/python3.*/site-packages")
    for name in sorted(top_level_names(needed_by("iota-sx"))):
        if not (site / name).exists():
            (site / name).symlink_to(HERE / name)
    for borrowed in HERE.glob("dials-of-dispatcher.pth"):
        (site / borrowed.name).symlink_to(borrowed)
    install = ["-m", "pip", "install", "--quiet", "--no-index", "--disable-pip-version-check", wheel]
    done = subprocess.run([folder / "bin" / "python", *install], capture_output=True, text=True, env=clean())
    assert done.returncode == 0, done.stderr
    return folder


def needed_by(name: str) -> set[str]:
    """Names of the distributions that one needs without its extras; those that come with DIALS included."""
    found: set[tuple[str, str]] = set()
    new = {(name, "")}  # each with the extra that is asked for
    while new:
        found |= new
        asked = [
            requirement
            for one, extra in new
            for requirement in map(Requirement, distribution(one).requires or ())
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra})
        ]
        new = {(canonicalize_name(one.name), extra) for one in asked for extra in ("", *one.extras)} - found
    return {one for one, _ in found} - {name}


def top_level_names(names: set[str]) -> set[str]:
    """What these distributions have put into the environment of the tests."""
    files = [file for name in names for file in distribution(name).files or () if _is_here(name)]
    return {file.parts[0] for file in files if file.parts[0] not in ("..", "__pycache__")}


def _is_here(name: str) -> bool:
    return Path(str(distribution(name).locate_file(""))).resolve() == HERE.resolve()


def clean() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}


def run(environment: Path, folder: Path, name: str, *arguments: str) -> str:
    done = subprocess.run(
        [environment / "bin" / name, *arguments], cwd=folder, env=clean(), capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, f"{name}: {done.stdout}{done.stderr}"
    return done.stdout


def test_all_of_the_package_is_in_the_wheel(wheel, git):
    tracked = subprocess.run([git, "ls-files", "src/iota"], cwd=ROOT, check=True, capture_output=True, text=True)
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
    assert {name.removeprefix("src/") for name in tracked.stdout.splitlines() if (ROOT / name).exists()} <= packed
    assert not any(name.startswith(("tests", "docs", "benchmarks")) for name in packed)


def test_the_lock_is_what_the_metadata_of_all_packages_ask_for():
    kind = locks.kind_here()
    locked = {pin.name for pin in locks.lock(kind, "run")}
    assert needed_by("iota-sx") - locks.from_dials(kind).keys() == locked


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_starts(environment, tmp_path, name):
    assert run(environment, tmp_path, name, "-h").startswith(f"usage: {name}")
    if name not in NO_VERSION:
        assert re.match(r"IOTA \d", run(environment, tmp_path, name, "--version"))


def test_the_checkout_is_not_used(environment, tmp_path):
    place = run(
        environment, tmp_path, "python", "-c", "import iota, sys; print(iota.__file__, 'pytest' in sys.modules)"
    )
    assert place.startswith(str(environment))
    assert "good" in run(environment, tmp_path, "iota.doctor", "--json")


def test_an_image_is_simulated_and_processed(environment, tmp_path):
    run(environment, tmp_path, "iota.simulate", "images", "-n", "1", "--blank-fraction", "0", "--weak-fraction", "0")
    (image,) = (tmp_path / "images").glob("*.cbf")
    assert "LATTICE" in run(environment, tmp_path, "iota.single_image", str(image))
    known = ("target_unit_cell=79.2 79.2 38.1 90 90 90", "target_space_group=P43212")
    run(environment, tmp_path, "iota.run", "images", "-n", "1", *known)
    assert (tmp_path / "integration" / "001" / "integrated.lst").read_text().strip() == str(image)


def test_the_server_shows_its_page_and_all_static_files(environment, wheel, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        static = [name.removeprefix("iota/web/static/") for name in archive.namelist() if "/static/" in name]
    server = subprocess.Popen(
        [environment / "bin" / "iota", "--no-browser"], cwd=tmp_path, env=clean(), stdout=subprocess.PIPE, text=True
    )
    try:
        address = re.search(r"http\S+", server.stdout.readline())[0]
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
        with opener.open(address, timeout=30) as page:
            assert "IOTA" in page.read().decode()
            base = page.geturl().rstrip("/")
        assert {"iota.svg", "iota.css", "scatter/scatter.js"} <= set(static)
        for name in static:
            assert opener.open(f"{base}/iota-static/{name}", timeout=30).read(), name
    finally:
        server.terminate()
        server.communicate(timeout=30)
