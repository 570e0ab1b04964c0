"""Suggests what to do after a run, given its outcomes."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Sequence

from iota.analysis.summary import Summary
from iota.causes import Cause
from iota.crystallography.cells import cell_text
from iota.geometry.search import are_few
from iota.installation import program
from iota.params.from_target import given_lattice
from iota.processing.conclusion import Conclusion
from iota.records import OUTCOME_WORDS
from iota.runs import RunFolder


def command(name: str) -> str:
    """A command of IOTA as it must be typed: with its folder if that is not on the PATH."""
    return name if shutil.which(name) else shlex.quote(program(name) or name)


def next_steps(conclusion: Conclusion, folder: RunFolder) -> list[str]:
    """What to do next, as commands and sentences."""
    summary = conclusion.summary
    path = shlex.quote(str(folder.path))
    if summary.consensus is not None:
        return [*_strong_pixels(summary), *_with_lattices(conclusion, folder)]
    if summary.n_hits:
        return [
            *_strong_pixels(summary),
            f"{summary.n_hits} hits, but none was integrated. Check beam centre, distance and wavelength; inspect some"
            f" images with {_in_browser(folder) or _imported(path)}",
            *_search(summary, path),
            "If the crystal is known: cctbx_xfel.target_unit_cell=... cctbx_xfel.target_space_group=...",
        ]
    return _without_hits(summary, path)


def _with_lattices(conclusion: Conclusion, folder: RunFolder) -> list[str]:
    summary, consensus = conclusion.summary, conclusion.summary.consensus
    assert consensus is not None
    files = [shlex.quote(str(folder.path / summary.best_files[what])) for what in ("experiments", "reflections")]
    steps = _search(summary, shlex.quote(str(folder.path)))
    distance_mm = summary.better_distance_mm
    if distance_mm is not None:
        steps.append(
            f"check the distance:      {command('iota.run')} ... image_import.distance={distance_mm:.1f}, if the"
            " crystal form is as given"
        )
    if summary.geometry is not None and summary.geometry.sentence:
        steps.append(f"refine the geometry:     {command('iota.geometry')} {shlex.quote(str(folder.path))}")
    steps += [
        f"view the best frame:     {_view(conclusion.viewer, files, folder)}",
        f"list its parameters:     dials.show {' '.join(files)}",
    ]
    if consensus.n_lattices > 1:
        steps.append(f"merge the intensities:   {command('iota.merge')} {shlex.quote(str(folder.path))}")
    if given_lattice(folder.target) is None:
        steps.append(
            f"once the space group is known:  {command('iota.run')} ... "
            f'cctbx_xfel.target_unit_cell="{cell_text(consensus.unit_cell)}" cctbx_xfel.target_space_group=...'
        )
    return steps


def _search(summary: Summary, path: str) -> list[str]:
    """The search for the beam centre, where few of the hits have the lattice of the consensus, or none has one."""
    if not are_few(0 if summary.consensus is None else summary.consensus.n_lattices, summary.n_hits):
        return []
    return [
        f"search for the beam centre and the distance with the spots of the hits:  {command('iota.geometry')} {path}"
    ]


def _view(viewer: str, files: Sequence[str], folder: RunFolder) -> str:
    """The command that shows a frame; only the viewer of DIALS reads files of DIALS, the others take the image."""
    if folder.crystfel_geometry.is_file():
        return _in_browser(folder)
    if viewer == "dials.image_viewer":
        return f"{command('iota.image_viewer')} {' '.join(files)}"
    images = (folder.path / "integrated.lst").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    return f"{viewer} {shlex.quote(images[0])}"


def _imported(path: str) -> str:
    return f"{command('iota.image_viewer')} {path}/dials/*_imported.expt"


def _in_browser(folder: RunFolder) -> str:
    """Where images are shown that only a CrystFEL geometry describes, which DIALS cannot open; empty for others."""
    if not folder.crystfel_geometry.is_file():
        return ""
    return f"cd {shlex.quote(str(folder.path.parents[1]))} && {command('iota')}, on the page of run {folder.number}"


_MANY = 0.1  # of the finished frames
_GAIN = (
    "If the counts are not photons, set the gain (counts per photon) with image_import.gain=..., or have it estimated"
    " with image_import.estimate_gain=True."
)
_TOO_FEW = (
    "If they show diffraction, lower data_selection.image_triage.minimum_Bragg_peaks or change the spot finding in a"
    " target file (spotfinder.threshold...)."
)
_TOO_MANY = (
    "If they are from crystals, raise dispatch.hit_finder.maximum_number_of_reflections; if they are from salt, ice"
    " or noise, raise the threshold (spotfinder.threshold...)."
)


def _without_hits(summary: Summary, path: str) -> list[str]:
    """Why most frames of a run without hits failed."""
    if not summary.n_finished:
        return [f"No frames were processed; see {path}/iota.log for the reason."]
    outcome = max(summary.counts, key=lambda outcome: summary.counts[outcome])
    n, n_all = summary.counts[outcome], summary.n_finished
    is_all = n == n_all
    some = f"{n:,} of {n_all:,} frames"
    why = f"see {path}/iota.log for the reasons."
    if outcome == "failed_triage":
        return [f"{'No frame has' if is_all else f'{some} do not have'} enough spots. {_TOO_FEW}"]
    if outcome == "too_many_spots":
        return [f"{'All frames' if is_all else some} have too many spots. {_TOO_MANY}"]
    if outcome == "failed_import":
        return [f"{'No frame' if is_all else f'Only {n_all - n:,} of {n_all:,} frames'} could be read; {why}"]
    if outcome == "failed_spotfinding" and _strong_pixels(summary):
        return _strong_pixels(summary)
    return [f"{'All frames' if is_all else some} ended with outcome '{OUTCOME_WORDS[outcome]}'; {why}"]


def _strong_pixels(summary: Summary) -> list[str]:
    """The gain, where a tenth of the frames or more have more strong pixels than DIALS takes for spots."""
    too_many = [failure for failure in summary.failures if failure.cause is Cause.TOO_MANY_STRONG_PIXELS]
    n, n_all = sum(failure.n for failure in too_many), summary.n_finished
    if not n or n < _MANY * n_all:
        return []
    frames = "All frames" if n == n_all else f"{n:,} of {n_all:,} frames"
    return [f"{frames} have too many strong pixels for spot finding. {_GAIN}"]
