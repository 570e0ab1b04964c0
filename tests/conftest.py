"""What tests of all kinds share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

SHARED = Path(os.environ.get("IOTA_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))


@pytest.fixture(scope="session")
def thaumatin() -> Path:
    """Folder of 12 real stills, 0016 and 0018 blank; not part of the project."""
    folder = SHARED / "thaumatin_stills"
    if not folder.is_dir():
        pytest.skip(f"the real stills are not here: {folder} (set IOTA_SHARED_DATA)")
    return folder
