"""Running our commands as a person would."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def command(name: str, *arguments: object, cwd: Path, timeout: float = 900, **words) -> subprocess.CompletedProcess[str]:
    """Run one of our commands as a person would; returns exit status and what it printed."""
    program = Path(sys.executable).with_name(name)
    return subprocess.run(
        [str(program), *map(str, arguments)], cwd=cwd, timeout=timeout, capture_output=True, text=True, check=False, **words
    )
