"""Reading ``.expt`` and ``.refl``, which may be somebody else's.

DIALS' own way, ``from_file``, takes a file that is neither for a pickle, and would run what is in it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from iota.engine.installation import prepare
from iota.errors import BackendError

prepare()

from dials.array_family import flex  # noqa: E402
from dxtbx.model.experiment_list import ExperimentListFactory  # noqa: E402


def read_experiments(path: Path) -> Any:
    """Read the models of an ``.expt``, not its images.

    Raises:
        BackendError: it is gone, damaged, or no list of experiments.
    """
    try:
        return ExperimentListFactory.from_json_file(str(path), check_format=False)
    except Exception as error:  # what JSON, the models and DIALS' assertions raise
        raise BackendError(f"{path} cannot be read: {_words(error)}.") from error


def read_reflections(path: Path) -> Any:
    """Read a ``.refl``.

    Raises:
        BackendError: it is gone, damaged, or no table of reflections.
    """
    try:
        return flex.reflection_table.from_msgpack_file(str(path))
    except Exception as error:  # as above
        raise BackendError(f"{path} cannot be read: {_words(error)}.") from error


def _words(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error).strip().split("\n")[0] or error.__class__.__name__
