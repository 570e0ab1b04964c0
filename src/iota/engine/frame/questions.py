"""Questions of the coordinator that need DIALS, such as whether a target is valid."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from iota.engine.frame.config import EngineConfig
from iota.engine.preparation.prepared import Prepared
from iota.params import Parameters
from iota.records import FrameRef, Settings


def _answers() -> ModuleType:
    from iota.engine.frame import answers  # imports DIALS, 1.2 s, in the process that is asked

    return answers


def is_backend_name(name: str) -> bool:
    """Whether the installed backend has a parameter of this full name."""
    answer: bool = _answers().is_backend_name(name)
    return answer


def nearest_name(name: str) -> str | None:
    """Name of the backend's parameter closest to a misspelt one; None if none is close."""
    answer: str | None = _answers().nearest_name(name)
    return answer


def target_text(parameters: Parameters) -> tuple[str, list[str]]:
    """The target of a run, see :func:`iota.engine.backend.parameters.target_text`, and all remarks on the parameters.

    Raises:
        ParameterError: a name or value in the target is not understood by the installed DIALS.
    """
    return _answers().target_text(parameters), parameters.remarks


def with_lines(target: str, lines: Sequence[str]) -> str:
    """A target in which some parameters are set differently."""
    answer: str = _answers().with_lines(target, lines)
    return answer


def prepare(parameters: Parameters, frames: Sequence[FrameRef], folder: Path) -> Prepared:
    """Prepare a run, see :func:`iota.engine.preparation.preparation.prepare`.

    Raises:
        UsageError: a mask cannot be used, or what was asked for needs images and there are none.
    """
    target = _answers().target_text(parameters)
    answer: Prepared = _answers().prepare(target, parameters.values.image_import, frames, folder)
    return answer


def dials_version() -> str:
    """Version of the installed DIALS."""
    answer: str = _answers().dials_version()
    return answer


def check_engine(config: EngineConfig) -> None:
    """Check whether an engine can be made.

    Raises:
        BackendError: a file that the parameters name, such as a mask or a geometry, cannot be used.
    """
    _answers().make_engine(config)


def given_lattice(target: str) -> tuple[bool, str | None]:
    """Whether a target contains a unit cell, and its space group or None."""
    return _answers().lattice_is_given(target), _answers().given_space_group(target)


def settings_to_try(target: str) -> list[Settings]:
    """Settings to try in turn on a crystal of unknown cell."""
    answer: list[Settings] = _answers().settings_to_try(target)
    return answer
