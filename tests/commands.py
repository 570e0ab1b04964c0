"""Running our commands as a person would."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SHARED = Path(os.environ.get("IOTA_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))  # not in the project
LYSOZYME = ("target_unit_cell=79.2 79.2 38.1 90 90 90", "target_space_group=P43212")  # the crystal that is simulated
THAUMATIN = ("target_unit_cell=58.4 58.4 152.2 90 90 90", "target_space_group=P41212")  # that of the real stills


def command(
    name: str, *arguments: object, cwd: Path, timeout: float = 900, **words
) -> subprocess.CompletedProcess[str]:
    """Run one of our commands as a person would; returns exit status and what it printed."""
    program = Path(sys.executable).with_name(name)
    return subprocess.run(
        [str(program), *map(str, arguments)],
        cwd=cwd,
        timeout=timeout,
        capture_output=True,
        text=True,
        check=False,
        **words,
    )
