"""Reads ``.expt`` and ``.refl`` files safely.

DIALS' own ``from_file`` treats a file that is neither as a pickle, and would execute its contents; for an ``.expt``, it
also unpickles the masks and tables that the file names: some of them in DIALS 3.12, all of them in DIALS 3.30, even if
it is told not to check the images.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from iota.engine.backend.installation import prepare
from iota.errors import BackendError

prepare()

from dials.array_family import flex  # noqa: E402
from dxtbx.model.experiment_list import ExperimentListDict  # noqa: E402

from iota.engine.backend.literal_pickles import read_literally  # noqa: E402

read_literally(  # which is left to DIALS' own ways, in its viewer for example
    "dxtbx.model.experiment_list",
    "dxtbx.serialize.imageset",
    "dials.array_family.flex_ext",
)
if "dxtbx.datablock" in sys.modules:  # newer DIALS does without, and warns of it
    read_literally("dxtbx.datablock")

_MODELS = ("beam", "detector", "goniometer", "scan", "crystal", "profile", "imageset", "scaling_model")
_LOOKUPS = ("mask", "gain", "pedestal", "dx", "dy")  # of an image set: paths of pickles


def read_experiments(path: Path) -> Any:
    """Read the models of an ``.expt``, not its images, nor the masks and tables that it names.

    Raises:
        BackendError: it is gone, damaged, or no list of experiments.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        for imageset in found.get("imageset", []):
            for name in _LOOKUPS:
                imageset.pop(name, None)
        if any(isinstance(value, str) for one in found["experiment"] for name, value in one.items() if name in _MODELS):
            raise ValueError("its models are in other files")
        experiments = ExperimentListDict(found, check_format=False, directory=str(path.absolute().parent)).decode()
        if not experiments.is_consistent():
            raise ValueError("its models do not belong together")
    except Exception as error:  # what JSON, the models and DIALS' assertions raise
        raise BackendError(f"{path} cannot be read: {_words(error)}.") from error
    return experiments


def read_reflections(path: Path) -> Any:
    """Read a ``.refl``.

    Raises:
        BackendError: it is gone, damaged, or no table of reflections.
    """
    try:
        return flex.reflection_table.from_msgpack(path.read_bytes())
    except Exception as error:  # as above
        raise BackendError(f"{path} cannot be read: {_words(error)}.") from error


def _words(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error).strip().split("\n")[0] or error.__class__.__name__
