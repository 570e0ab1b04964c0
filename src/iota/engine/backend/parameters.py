"""Parameters of ``dials.stills_process`` for a run: IOTA's defaults combined with the user's target."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from iota.crystallography.compatibility import cell_problem
from iota.engine.backend.installation import prepare
from iota.errors import ParameterError
from iota.params import Parameters, defaults, safe_text, to_backend
from iota.params.near_names import near_name
from iota.params.old_targets import translate_target
from iota.runs import RunFolder

prepare()

from dials.algorithms.background.gmodel import StaticBackgroundModel  # noqa: E402 - DIALS must be prepared first
from dials.command_line import stills_process  # noqa: E402
from libtbx.phil import parse  # noqa: E402
from libtbx.utils import Sorry  # noqa: E402

from iota.engine.backend.literal_pickles import admit, read_literally  # noqa: E402

# Parameters name pickles: masks, maps of the gain, a model of the background.
admit(StaticBackgroundModel)
read_literally(
    "dials.algorithms.spot_finding.factory",
    "dials.algorithms.integration.integrator",
    "dials.algorithms.background.gmodel.algorithm",
    "dials.command_line.dials_import",
    "rstbx.symmetry.subgroup",  # a file of a fixed name in the current folder
)

# What dials.stills_process cannot read: images as a CrystFEL geometry describes them.
OWN_PARAMETERS = """
crystfel
  .help = "What IOTA reads besides the images that DIALS knows"
{
  geometry = None
    .type = path
    .help = "CrystFEL geometry by which IOTA reads HDF5 and CXI files (image_import.crystfel_geometry)"
    .expert_level = 3
}
"""


@lru_cache(maxsize=1)
def scope() -> Any:
    """PHIL scope of the installed ``dials.stills_process`` with IOTA's own parameters (shared; never change it)."""
    theirs, ours = stills_process.phil_scope, parse(OWN_PARAMETERS)
    return theirs.customized_copy(objects=[*theirs.objects, *ours.objects])


@lru_cache(maxsize=1)
def _names() -> frozenset[str]:
    return frozenset(item.path for item in scope().all_definitions())


@lru_cache(maxsize=1)
def _definitions() -> dict[str, Any]:
    """Definitions of the backend by full name, and by alias where they have one."""
    found = {item.path: item.object for item in scope().all_definitions()}
    return {**{item.alias_path(): item for item in found.values() if item.alias_path()}, **found}


def is_backend_name(name: str) -> bool:
    """Whether the installed backend has a parameter of this full name."""
    return name in _names()


def _source(text: str, source_info: str | None = None) -> Any:
    """Values in PHIL from any source; nothing is left in them that the backend's definitions would evaluate.

    Raises:
        ParameterError: it is no PHIL, or more than values, or a number is none.
    """
    source = safe_text.parse(text, source_info)
    safe_text.check_numbers(_definitions(), source)
    return source


def target_text(parameters: Parameters) -> str:
    """The target of a run: every parameter of the backend that differs from the defaults of stills_process.

    ``dials.stills_process target.phil IMAGES`` runs with the same settings.  In order, later ones win: IOTA's defaults,
    the target file, assignments on the command line, IOTA parameters that were changed from their defaults.

    Raises:
        ParameterError: a name or value in the target is not understood by the installed DIALS, or the space group
            cannot have the cell.
    """
    target = parameters.values.cctbx_xfel.target
    in_file = _read_target(Path(target), parameters.remarks) if target else []
    assigned = [_read_assignment(name, value) for name, value in parameters.backend_assignments]
    own = _source(_from_iota(parameters, changed=True))
    try:
        working = scope().fetch(sources=[_own_defaults(parameters), *in_file, *assigned, own])
        symmetry = working.extract().indexing.known_symmetry
        overridden = _overridden(assigned if target and _is_of_a_run(Path(target)) else [*in_file, *assigned], own)
    except (Sorry, RuntimeError, ValueError) as error:
        raise ParameterError(_first_line(error)) from error
    parameters.remarks.extend(remark for remark in overridden if remark not in parameters.remarks)
    if symmetry.unit_cell is not None and symmetry.space_group is not None:
        problem = cell_problem(symmetry.unit_cell.parameters(), str(symmetry.space_group))
        if problem:
            raise ParameterError(problem)
    return str(scope().fetch_diff(source=working).as_str())


def _is_of_a_run(target: Path) -> bool:
    """Whether a target was written by a run, with what its own parameters of IOTA set."""
    folder = RunFolder(target.parent)
    return target.name == folder.target.name and folder.info.is_file()


def _overridden(given: Sequence[Any], own: Any) -> list[str]:
    """Sentences on values given to the backend that are overridden by IOTA's own parameters.

    IOTA's defaults are not told: they are in targets that IOTA wrote.
    """
    named = {item.path for source in given for item in source.all_definitions()}
    named &= {item.path for item in own.all_definitions() if not to_backend.is_copied(item.path)}
    if not named:
        return []
    theirs, ours, usual = (
        {
            item.path: " ".join(map(str, item.object.extract_format().words))
            for item in scope().fetch(sources=sources).all_definitions()
            if item.path in named
        }
        for sources in (given, [own], [_own_defaults(defaults())])
    )
    return [
        f"{name} = {theirs[name]} is overridden by {to_backend.joined(to_backend.owners(name))}."
        for name in sorted(named)
        if theirs[name] not in ("None", ours[name], usual[name])
    ]


def with_defaults(parameters: Parameters) -> Any:
    """The backend's scope without a target and with IOTA's defaults."""
    return scope().fetch(source=_own_defaults(parameters))


def _own_defaults(parameters: Parameters) -> Any:
    return _source(to_backend.own_defaults_phil() + _from_iota(parameters, changed=False))


def _from_iota(parameters: Parameters, *, changed: bool) -> str:
    return to_backend.backend_phil(parameters.values, defaults().values, changed=changed)


def with_lines(target: str, lines: Sequence[str]) -> str:
    """A target with some parameters changed."""
    working = scope().fetch(sources=[_source(target), _source("".join(lines))])
    return str(scope().fetch_diff(source=working).as_str())


def user_settings(target: str) -> frozenset[str]:
    """Full names of the backend parameters in a target that are neither DIALS' nor IOTA's defaults."""
    default = {item.path: item.object.as_str() for item in _fetch(target_text(defaults())).all_definitions()}
    given = _fetch(target).all_definitions()
    return frozenset(item.path for item in given if default.get(item.path) != item.object.as_str())


@lru_cache(maxsize=64)
def changed(*texts: str) -> frozenset[str]:
    """Full names of the parameters that differ from the defaults of stills_process with these target texts."""
    working = scope().fetch(sources=[_source(text) for text in texts if text])
    return frozenset(item.path for item in scope().fetch_diff(source=working).all_definitions())


def _fetch(text: str) -> Any:
    return scope().fetch(source=_source(text))


def extract(*texts: str) -> Any:
    """Backend parameters as attributes, from target texts; later ones win."""
    return _merged(texts).extract()


@lru_cache(maxsize=32)
def _merged(texts: tuple[str, ...]) -> Any:
    return scope().fetch(sources=[_source(text) for text in texts if text])


def _read_target(path: Path, remarks: list[str]) -> list[Any]:
    """PHIL sources equivalent to a target; names of earlier versions in it are reported."""
    try:
        source = safe_text.parse(path.read_text(encoding="utf-8"), f"file {path}")
    except (OSError, UnicodeDecodeError) as error:
        raise ParameterError(f"The target file {path} cannot be read: {error}.") from error
    except ParameterError as error:
        raise ParameterError(f"{error} Is {path} really a PHIL file?") from error
    safe_text.check_numbers(_definitions(), source)
    try:
        _, unused = scope().fetch(source=source, track_unused_definitions=True)
    except (Sorry, RuntimeError, ValueError) as error:
        raise ParameterError(_first_line(error)) from error
    translated = translate_target(unused, is_backend_name)
    remarks += [remark for remark in translated.told if remark not in remarks]
    unused = [item for item in unused if item.path not in translated.names]
    if unused:
        raise ParameterError(
            "\n".join(
                f"The backend has no parameter named {item.path} ({item.object.where_str.strip(' ()')})."
                f" {_nearest(item.path)}"
                for item in unused
            )
        )
    return [_source(translated.phil, f"file {path}"), source]


def _read_assignment(name: str, value: str) -> Any:
    return _source(f"{name} = {value}", f"{name}={value}")


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n")[0]


def nearest_name(name: str) -> str | None:
    """Name of the backend's parameter closest to a misspelt one; None if none is close."""
    return near_name(name, _names())


def _nearest(name: str) -> str:
    near = nearest_name(name)
    return f"Did you mean {near}?" if near else "dials.stills_process -c -e 3 prints all it has."
