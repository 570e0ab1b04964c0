"""Lock files: what is read from them, what differs from them, and what the check of scripts/lock finds."""

import shutil
import sys
from importlib.metadata import Distribution

import pytest
import tomllib
from locking import asked, check, licences
from packaging.requirements import Requirement

import iota.requirements.locks as locks
from iota.requirements.locks import Pin, compare, kind_here, read

HASH = "0123456789abcdef" * 4
WANTED = asked.read()


def test_a_pin_with_its_hashes_and_who_needs_it(tmp_path):
    path = tmp_path / "run.lock"
    path.write_text(
        f"# Made.\nmdurl==0.1.2 \\\n    --hash=sha256:{HASH} \\\n    --hash=sha256:{HASH[::-1]}\n"
        "    # needed by markdown-it-py, rich\nrich==15.0.0 \\\n"
        f"    --hash=sha256:{HASH}\n"
    )
    first, second = read(path)
    assert first == Pin("mdurl", "0.1.2", (HASH, HASH[::-1]), ("markdown-it-py", "rich"))
    assert second == Pin("rich", "15.0.0", (HASH,))


@pytest.mark.parametrize(
    "line",
    [
        "rich>=15",
        "rich",
        "--index-url somewhere",
        "rich @ file:///tmp/rich.whl",
        "-r other.lock",
        "rich==15.0.0\n    --hash=md5:abc",
        f"    --hash=sha256:{HASH}",
    ],
)
def test_what_is_no_pin_is_refused(tmp_path, line):
    path = tmp_path / "run.lock"
    path.write_text(f"# Made.\n{line}\n")
    with pytest.raises(ValueError, match=r"run\.lock, line [23]: neither"):
        read(path)


def as_locked(kind: str, *groups: str) -> dict[str, str]:
    """Versions of an environment that was installed from the locks."""
    pins = [pin for group in groups for pin in locks.lock(kind, group)]
    return locks.from_dials(kind) | {pin.name: pin.version for pin in pins}


def compared(versions: dict[str, str], kind: str = "debian-12") -> locks.Comparison:
    return compare(kind, lambda name: versions.get(name, ""))


@pytest.mark.parametrize("kind", locks.KINDS)
def test_what_was_installed_from_the_locks_differs_in_nothing(kind):
    found = compared(as_locked(kind, "run"), kind)
    assert (found.kind, found.differing, found.missing, found.groups) == (kind, [], [], [])
    assert found.n_compared == len(locks.lock(kind, "run"))


def test_other_versions_and_missing_packages_are_told_apart():
    versions = as_locked("debian-12", "run") | {"rich": "14.0"}
    del versions["pebble"], versions["numba"]
    found = compared(versions)
    assert [(pin.name, here) for pin, here in found.differing] == [("rich", "14.0")]
    assert found.missing == ["numba", "pebble"], "numba is asked for, and comes with Debian's DIALS"
    assert found.groups == ["run"]


def test_what_nobody_has_to_have_is_compared_where_it_was_installed():
    of_others = {"psutil": "5.9.4", "cryptography": "38.0.4"}  # Debian's, for something else
    assert compared(as_locked("debian-12", "run") | of_others).differing == []
    with_cluster = compared(as_locked("debian-12", "run", "cluster") | of_others)
    assert [pin.name for pin, _ in with_cluster.differing] == ["cryptography", "psutil"]
    assert with_cluster.groups == ["cluster"]


@pytest.mark.parametrize(("numpy", "kind"), [("1.24.2", "debian-12"), ("2.4.6", "dials-3.30"), ("2.2.4", "dials-3.30")])
def test_the_numpy_of_dials_says_which_locks(numpy, kind):
    assert kind_here(numpy) == kind


def test_a_numpy_that_hides_that_of_dials_changes_nothing(tmp_path, monkeypatch):
    before = locks.numpy_of_dials()
    info = tmp_path / "site" / "numpy-99.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: numpy\nVersion: 99.0\n")
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.syspath_prepend(str(info.parent))
    assert locks.installed("numpy") == "99.0"
    assert locks.numpy_of_dials() == before


def test_the_locks_are_what_is_asked_for():
    assert list(check.problems(WANTED)) == []


def changed(group: str, *requirements: str, without: str = "") -> list[str]:
    """Problems after a change of pyproject.toml."""
    kept = [one for one in WANTED.groups[group] if one.name != without]
    groups = WANTED.groups | {group: [*kept, *map(Requirement, requirements)]}
    return list(check.problems(WANTED._replace(groups=groups)))


def test_what_is_asked_for_anew_is_missed():
    assert any("requests" in one and "not there" in one for one in changed("run", "requests>=2"))
    assert any("rich 15.0.0 is not what is asked for" in one for one in changed("run", "rich>=99"))


def test_what_is_no_longer_asked_for_is_too_much():
    found = changed("run", without="rich")
    assert "debian-12/run.lock: nothing that is asked for needs rich: run scripts/lock." in found
    assert "debian-12/run.lock: nothing that is asked for needs mdurl: run scripts/lock." in found, "rich's alone"
    assert not any("pygments" in one for one in found), "nicegui needs it, too"
    still_needed = changed("cluster", without="distributed")
    assert any("distributed is not marked as what it is" in one for one in still_needed), "dask-jobqueue needs it"


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """Locks that may be changed."""
    shutil.copytree(locks.HERE, tmp_path / "requirements")
    monkeypatch.setattr(locks, "HERE", tmp_path / "requirements")
    return tmp_path / "requirements"


def test_what_was_changed_by_hand_is_found(copy):
    path = copy / "debian-12" / "run.lock"
    lines = path.read_text().splitlines(keepends=True)
    start = next(number for number, line in enumerate(lines) if line.startswith("rich=="))
    end = next(number for number in range(start, len(lines)) if "needed by" in lines[number])
    path.write_text("".join([*lines[: start + 1], *lines[end:], f"numpy==2.0 \\\n    --hash=sha256:{HASH}\n"]))
    found = list(check.problems(WANTED))
    assert "debian-12/run.lock: rich has no hash." in found
    assert "debian-12/run.lock: numpy comes with DIALS." in found
    path = copy / "debian-12" / "arrow.lock"
    path.write_text(path.read_text().replace("pyarrow==25", "pyarrow==26"))
    found = list(check.problems(WANTED))
    assert any("in another group" in one and "pyarrow" in one for one in found)


def test_a_lock_beyond_what_dials_there_can_stand_is_found():
    narrow = WANTED.targets | {"debian-12": WANTED.targets["debian-12"]._replace(limits=["pyarrow<25"])}
    assert any("beyond the limit pyarrow<25" in one for one in check.problems(WANTED._replace(targets=narrow)))


def test_a_licence_that_may_not_go_with_iota_is_found(monkeypatch):
    known = licences.read()
    monkeypatch.setattr(licences, "read", lambda: known | {"rich": "GPL-3.0-only", "gemmi": "GPL-3.0-only"})
    found = list(check.problems(WANTED))
    assert len(found) == 1, "gemmi is for tests alone"
    assert found[0].startswith("rich has the licence GPL-3.0-only")


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True),
        ("MPL-2.0 AND (Apache-2.0 OR MIT)", True),
        ("BSD-2-Clause AND Apache-2.0 WITH LLVM-exception", True),
        ("AGPL-3.0-only", False),
        ("MIT AND GPL-2.0-only", False),
        ("unknown", False),
    ],
)
def test_expressions_of_licences(expression, allowed):
    assert licences.is_allowed(expression) is allowed


@pytest.mark.parametrize(
    ("metadata", "licence"),
    [
        ("License-Expression: MIT\nClassifier: License :: OSI Approved :: BSD License", "MIT"),
        ("License: BSD-3-Clause", "BSD-3-Clause"),
        ("Classifier: License :: OSI Approved :: Apache Software License", "Apache-2.0"),
        ("License: Ask me", "Ask me"),
        ("Summary: none", "unknown"),
    ],
)
def test_what_metadata_say_of_a_licence(tmp_path, metadata, licence):
    info = tmp_path / "thing-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.4\nName: thing\nVersion: 1\n{metadata}\n")
    assert licences.licence(Distribution.at(info)) == licence


def test_every_extra_has_a_group():
    project = tomllib.loads((asked.ROOT / "pyproject.toml").read_text())["project"]
    assert project["optional-dependencies"].keys() <= set(locks.GROUPS)
