"""Parameters of ``dials.stills_process`` for a run: IOTA's defaults combined with the user's target."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from iota.engine.backend.installation import prepare
from iota.errors import ParameterError
from iota.params import Parameters, defaults, safe_text
from iota.params.near_names import near_name
from iota.params.old_targets import translate_target
from iota.symmetry import cell_problem

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

# Why the Ewald proximal volume limit is not that of stills_process: docs/decisions/0002-learning-the-lattice.md
IOTA_DEFAULTS = """
indexing.stills.ewald_proximal_volume_max = 0.03
integration.debug.delete_shoeboxes = True
"""


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
    """Values in PHIL, from whom they may be; nothing in them is left that the backend's definitions would evaluate.

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
    sources = [_own_defaults(parameters)]
    target = parameters.values.cctbx_xfel.target
    if target:
        sources += _read_target(Path(target), parameters.remarks)
    sources += [_read_assignment(name, value) for name, value in parameters.backend_assignments]
    sources.append(_source(_from_iota(parameters, changed=True)))
    try:
        working = scope().fetch(sources=sources)
        given = working.extract().indexing.known_symmetry
    except (Sorry, RuntimeError, ValueError) as error:
        raise ParameterError(_first_line(error)) from error
    if given.unit_cell is not None and given.space_group is not None:
        problem = cell_problem(given.unit_cell.parameters(), str(given.space_group))
        if problem:
            raise ParameterError(problem)
    return str(scope().fetch_diff(source=working).as_str())


def with_defaults(parameters: Parameters) -> Any:
    """The backend's scope as it is when no target is given and nothing of IOTA is changed."""
    return scope().fetch(source=_own_defaults(parameters))


def _own_defaults(parameters: Parameters) -> Any:
    return _source(IOTA_DEFAULTS + _from_iota(parameters, changed=False))


def with_lines(target: str, lines: Sequence[str]) -> str:
    """A target with some parameters set otherwise."""
    working = scope().fetch(sources=[_source(target), _source("".join(lines))])
    return str(scope().fetch_diff(source=working).as_str())


def gain_lines(gain: float) -> list[str]:
    """Parameters that tell the backend how many counts a photon makes, for spot finding and for variances."""
    return [
        f"spotfinder.threshold.dispersion.gain = {gain:g}\n",
        f"integration.summation.detector_gain = {gain:g}\n",
    ]


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
    """Sources of PHIL with what a target says; what it says in words of earlier versions is told."""
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
    """Name of the backend's parameter that a misspelt one is near to; None where none is near."""
    return near_name(name, _names())


def _nearest(name: str) -> str:
    near = nearest_name(name)
    return f"Did you mean {near}?" if near else "dials.stills_process -c -e 3 prints all it has."


def _from_iota(parameters: Parameters, changed: bool) -> str:
    """IOTA's own parameters in the words of the backend.

    With ``changed`` only those that differ from IOTA's defaults (they overrule a target file), else only the others.
    """
    given, default = parameters.values, defaults().values
    lines: list[str] = []

    def add(value: Any, default_value: Any, *words: str) -> None:
        if (value != default_value) == changed:
            lines.extend(words)

    triage, triage0 = given.data_selection.image_triage, default.data_selection.image_triage
    add(triage.flag_on, triage0.flag_on, f"dispatch.hit_finder.enable = {triage.flag_on}")
    add(
        triage.minimum_Bragg_peaks,
        triage0.minimum_Bragg_peaks,
        f"dispatch.hit_finder.minimum_number_of_reflections = {triage.minimum_Bragg_peaks}",
    )
    xfel, xfel0 = given.cctbx_xfel, default.cctbx_xfel
    methods = "fft1d fft3d" if xfel.use_fft3d else "fft1d"
    add(xfel.use_fft3d, xfel0.use_fft3d, f"indexing.stills.method_list = {methods}")
    add(
        xfel.significance_filter.flag_on,
        xfel0.significance_filter.flag_on,
        f"significance_filter.enable = {xfel.significance_filter.flag_on}",
    )
    add(
        xfel.significance_filter.sigma,
        xfel0.significance_filter.sigma,
        f"significance_filter.isigi_cutoff = {xfel.significance_filter.sigma}",
    )
    limits = xfel.resolution_limits
    if changed:
        if xfel.auto_threshold:
            lines.append("spotfinder.threshold.dispersion.global_threshold = Auto")
        if limits.low is not None:
            lines.append(f"spotfinder.filter.d_max = {limits.low:g}")
        if limits.high is not None:
            lines.append(f"spotfinder.filter.d_min = {limits.high:g}")
        lines += _given_symmetry(xfel) + _given_geometry(given)
    return "\n".join(lines) + "\n"


def _given_symmetry(xfel: Any) -> list[str]:
    lines = []
    if xfel.target_unit_cell is not None:
        cell = " ".join(f"{x:g}" for x in xfel.target_unit_cell.parameters())
        lines.append(f"indexing.known_symmetry.unit_cell = {cell}")
    if xfel.target_space_group is not None:
        lines.append(f'indexing.known_symmetry.space_group = "{xfel.target_space_group}"')
    return lines


def _given_geometry(given: Any) -> list[str]:
    lines = []
    if given.image_import.mask:
        lines += [
            f"{scope}.lookup.mask = {safe_text.quoted(given.image_import.mask)}"
            for scope in ("spotfinder", "integration")
        ]
    if given.image_import.crystfel_geometry:
        lines.append(f"crystfel.geometry = {safe_text.quoted(given.image_import.crystfel_geometry)}")
    if given.image_import.distance:
        lines.append(f"geometry.detector.distance = {given.image_import.distance:g}")
    centre = given.image_import.beam_center
    if centre.x or centre.y:
        lines.append(f"geometry.detector.fast_slow_beam_centre = {centre.x:g} {centre.y:g}")
    if given.image_import.gain:
        lines += gain_lines(given.image_import.gain)
    if given.advanced.reference_geometry:
        lines.append(f"input.reference_geometry = {safe_text.quoted(given.advanced.reference_geometry)}")
    return lines
