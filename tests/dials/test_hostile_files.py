"""Nothing that a file holds is run, and reading it changes nothing in the process: one process reads all kinds."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hostile_files import KINDS

HARMLESS = {  # what is read all the same, since there is something else in it, or it is passed over
    "image_that_is_a_locator",
    "image_that_is_a_locator_with_a_number",
    "experiments_that_name_pickles",
    "experiments_with_a_model_of_any_name",
    "target_of_a_run_for_its_summary",
    "list_of_images",
    "counts_of_a_run_that_hold_objects",
    "columns_of_a_run_that_hold_objects",
}


@pytest.fixture(scope="module")
def found(lysozyme, tmp_path_factory) -> dict[str, Any]:
    """What the process said of each kind."""
    image = min(lysozyme.glob("*.cbf"))
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("hostile_files.py"), image],
        cwd=tmp_path_factory.mktemp("hostile"),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_in_it_is_run_and_nothing_is_changed(found, kind):
    assert found[kind]["events"] == []
    assert found[kind]["changes"] == []
    was_read = found[kind]["said"].startswith("read: ")
    assert was_read == (kind in HARMLESS), found[kind]["said"]


def test_there_are_thirty_kinds_and_good_files_are_read_as_before(found):
    assert len(KINDS) >= 30
    assert found["good after"] == found["good before"]
