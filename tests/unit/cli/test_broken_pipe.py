"""Commands whose output nobody reads to its end."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import tomllib

from iota.cli.broken_pipe import ends_on_broken_pipe

COMMANDS = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]["scripts"]


def _unread(name, *arguments, cwd):
    """Run a command whose reader is gone."""
    reader, writer = os.pipe()
    os.close(reader)
    program = Path(sys.executable).with_name(name)
    try:
        words = [str(program), *arguments]
        return subprocess.run(words, cwd=cwd, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    finally:
        os.close(writer)


@pytest.mark.parametrize(
    "words",
    [
        *((name, "--help") for name in COMMANDS),
        ("iota.export", "--parameters"),
        ("iota.merge", "--parameters"),
        ("iota.run", "--default"),
        ("iota.run", "--completion", "bash"),
    ],
    ids=" ".join,
)
def test_a_command_ends_without_a_word_when_nobody_reads(words, tmp_path):
    done = _unread(*words, cwd=tmp_path)
    assert done.stderr == ""
    allowed = [141, 1]  # 1 is that of rich, with which tables and scripts are printed
    if "--help" in words:
        allowed.append(0)  # argparse of a newer Python takes no notice
    assert done.returncode in allowed


def test_another_pipe_that_breaks_is_no_reason_to_be_silent():
    @ends_on_broken_pipe
    def main():
        raise BrokenPipeError("to a helper")

    with pytest.raises(BrokenPipeError, match="to a helper"):
        main()
