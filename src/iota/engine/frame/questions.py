"""Questions of the coordinator that need DIALS, such as whether a target is valid."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from iota.engine.frame.config import EngineConfig
from iota.engine.preparation.prepared import Prepared
from iota.params import Parameters
from iota.records import FrameRef, Settings


def is_backend_name(name: str) -> bool:
    """Whether the installed backend has a parameter of this full name."""
    from iota.engine.backend import parameters as backend

    return backend.is_backend_name(name)


def nearest_name(name: str) -> str | None:
    """Name of the backend's parameter that is most like a misspelt one; None where none is near."""
    from iota.engine.backend import parameters as backend

    return backend.nearest_name(name)


def target_text(parameters: Parameters) -> tuple[str, list[str]]:
    """The target of a run, see :func:`iota.engine.backend.parameters.target_text`, and all remarks on the parameters.

    Raises:
        ParameterError: a name or value in the target is not understood by the installed DIALS.
    """
    from iota.engine.backend import parameters as backend

    return backend.target_text(parameters), parameters.remarks


def with_lines(target: str, lines: Sequence[str]) -> str:
    """A target with some parameters set otherwise."""
    from iota.engine.backend import parameters as backend

    return backend.with_lines(target, lines)


def prepare(parameters: Parameters, frames: Sequence[FrameRef], folder: Path) -> Prepared:
    """What is made before a run, see :func:`iota.engine.preparation.preparation.prepare`.

    Raises:
        UsageError: a mask cannot be used, or what was asked for needs images and there are none.
    """
    from iota.engine.backend import parameters as backend
    from iota.engine.preparation import preparation

    return preparation.prepare(backend.target_text(parameters), parameters.values.image_import, frames, folder)


def dials_version() -> str:
    """Version of the installed DIALS."""
    from iota.engine.backend import installation

    return installation.dials_version()


def check_engine(config: EngineConfig) -> None:
    """Find out whether an engine can be made.

    Raises:
        BackendError: a file that the parameters name, such as a mask or a geometry, cannot be used.
    """
    from iota.engine.frame.tasks import make_engine

    make_engine(config)


def given_lattice(target: str) -> tuple[bool, str | None]:
    """Whether a target holds a unit cell, and its space group or None."""
    from iota.engine.backend import ladder

    return ladder.lattice_is_given(target), ladder.given_space_group(target)


def settings_to_try(target: str) -> list[Settings]:
    """Settings to try in turn on a crystal whose cell nobody knows."""
    from iota.engine.backend import ladder

    return ladder.ladder(target)
