"""The tools that check the JavaScript of the pages: what is locked, and what is said where they cannot be installed."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "scripts" / "javascript"


def test_every_locked_package_has_a_hash_and_no_registry():
    text = (FOLDER / "package-lock.json").read_text()
    packages = json.loads(text)["packages"]
    own = packages.pop("")
    wanted = json.loads((FOLDER / "package.json").read_text())["devDependencies"]
    assert own["devDependencies"] == wanted
    assert {name: packages[f"node_modules/{name}"]["version"] for name in wanted} == wanted  # exact versions
    assert [name for name, package in packages.items() if not package["integrity"].startswith("sha512-")] == []
    assert '"resolved"' not in text  # any registry serves them, as the hashes are given


@pytest.fixture
def bare(tmp_path):
    """A checkout on a machine without npm, for a user without root rights."""
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts", ignore=shutil.ignore_patterns("node_modules"))
    programs = tmp_path / "bin"
    programs.mkdir()
    for tool in ("bash", "cmp", "cp", "dirname"):
        (programs / tool).symlink_to(shutil.which(tool))
    fake_program(tmp_path, "id", "echo 1000")
    fake_program(tmp_path, "apt-get", "echo apt-get was called")
    return tmp_path


def fake_program(folder, name, does):
    path = folder / "bin" / name
    path.write_text(f"#!/bin/bash\n{does}\n")
    path.chmod(0o755)


def test_without_npm_the_package_to_install_is_named(bare):
    environment = {"PATH": str(bare / "bin"), "HOME": str(bare)}
    command = ["bash", bare / "scripts" / "check-javascript"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 2
    assert "sudo apt-get install npm" in done.stderr
    assert "apt-get was called" not in done.stdout


MISTAKES = {
    "layout.js": ("export const text = 'x';\n", "layout.js"),
    "unused.js": ("const unused = 1;\n", "no-unused-vars"),
    "types.js": ('// @ts-check\n/** @type {number} */\nexport const n = "x";\n', "error TS2322"),
}


@pytest.mark.skipif(not shutil.which("npm"), reason="npm is not installed")
def test_mistakes_of_all_three_kinds_are_reported_at_once(tmp_path):
    subprocess.run([ROOT / "scripts" / "setup-javascript"], check=True, stdout=subprocess.DEVNULL)
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts", ignore=shutil.ignore_patterns("node_modules"))
    (tmp_path / "scripts" / "javascript" / "node_modules").symlink_to(FOLDER / "node_modules")
    static = tmp_path / "src" / "iota" / "web" / "static"
    static.mkdir(parents=True)
    (static / "right.js").write_text('// @ts-check\nexport const text = "x";\n')
    for name, (text, _) in MISTAKES.items():
        (static / name).write_text(text)
    done = subprocess.run([tmp_path / "scripts" / "check-javascript"], capture_output=True, text=True)
    said = done.stdout + done.stderr
    assert done.returncode == 1
    assert [sign for _, sign in MISTAKES.values() if sign not in said] == []
    assert "right.js" not in said
