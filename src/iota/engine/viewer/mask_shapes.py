"""Makes masks from shapes drawn in the browser, with the code of ``dials.generate_mask``.

Coordinate frames and signs: docs/explanations/coordinate-frames.md.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from dials.array_family import flex
from dials.util import masking
from dxtbx import flumpy

from iota.atomic_files import write_atomically
from iota.engine.images.masks import Mask, check_shape, joined, load_mask, write_mask
from iota.engine.preparation.beamstop import shadow
from iota.errors import UsageError
from iota.image_answers import Rectangle
from iota.params import safe_text


def mask_from_phil(phil: str, imageset: Any) -> Mask:
    """The mask that ``dials.generate_mask`` makes from these parameters.

    Raises:
        UsageError: DIALS does not take them.
    """
    try:
        return tuple(masking.generate_mask(imageset, _parameters(phil)))
    except Exception as error:  # PHIL, overflow in C++, shapes outside of a panel: all are the user's numbers
        said = (str(error).strip() or type(error).__name__).split("\n")[0]
        raise UsageError(f"DIALS cannot make a mask from these shapes: {said}.") from error


def _parameters(text: str) -> Any:
    source = safe_text.parse(text)
    safe_text.check_numbers({item.path: item.object for item in masking.phil_scope.all_definitions()}, source)
    return masking.phil_scope.fetch(source=source).extract()


def whole_mask(phil: str, base: list[str], imageset: Any) -> Mask:
    """Mask of drawn shapes combined with masks from files.

    Args:
        phil: parameters of ``dials.generate_mask``.
        base: paths of masks that are joined to it.
        imageset: of the image.

    Raises:
        UsageError: a mask cannot be read or does not fit the image, or DIALS does not take the shapes.
    """
    masks = [mask_from_phil(phil, imageset)]
    for path in base:
        mask = load_mask(Path(path))
        check_shape(mask, imageset.get_detector(), f"The mask {path}")
        masks.append(mask)
    return joined(masks)


def save_mask(mask: Mask, phil: str, path: Path) -> Path:
    """Write a mask and beside it the PHIL of its shapes; returns the path of the latter.

    Raises:
        UsageError: the folder cannot be written.
    """
    text = path.with_suffix(".phil")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(text, phil)  # first: a mask has its shapes beside it
        write_mask(mask, path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}. Choose another project folder.") from error
    return text


def shadow_rectangles(counts: list[npt.NDArray[Any]], beam_panel: Any, threshold: float) -> list[tuple[int, Rectangle]]:
    """The shadow of the beamstop as rectangles: (panel, rectangle); empty if there is no shadow.

    Args:
        counts: of each panel, `[slow, fast]`.
        beam_panel: panel, fast and slow of the direct beam (px), or None.
        threshold: mean counts of a pixel, below which it is shadow.

    Raises:
        UsageError: the beam meets no panel, or the threshold is above the background.
    """
    if beam_panel is None:
        raise UsageError("The direct beam does not hit a panel, so no shadow can be found around it.")
    panel, fast, slow = beam_panel
    found = shadow(counts[panel].astype(np.float64), (fast, slow), threshold)
    return [(panel, rectangle) for rectangle in rectangles_of(found)]


def masked_rectangles(mask: Mask) -> list[list[Rectangle]]:
    """The masked pixels as rectangles for each panel."""
    return [rectangles_of(~flumpy.to_numpy(panel)) for panel in mask]


def n_masked(mask: Mask) -> int:
    """Number of masked pixels."""
    return sum(panel.count(False) for panel in mask)


def rectangles_of(region: npt.NDArray[np.bool_]) -> list[Rectangle]:
    """Rectangles that exactly cover a region: runs along rows, joined if the next rows have the same run."""
    edges = np.diff(np.pad(region.astype(np.int8), ((0, 0), (1, 1))), axis=1)
    rows, starts = np.nonzero(edges == 1)
    _, ends = np.nonzero(edges == -1)
    open_ones: dict[tuple[int, int], int] = {}  # run -> row in which it began
    found: list[Rectangle] = []
    bounds = np.searchsorted(rows, np.arange(region.shape[0] + 1))
    for row in range(region.shape[0]):
        here = slice(bounds[row], bounds[row + 1])
        runs = set(zip(starts[here].tolist(), ends[here].tolist(), strict=True))
        for run in [run for run in open_ones if run not in runs]:
            found.append((*run, open_ones.pop(run), row))
        for run in runs:
            open_ones.setdefault(run, row)
    found += [(*run, first, region.shape[0]) for run, first in open_ones.items()]
    return sorted(found, key=lambda rectangle: (rectangle[2], rectangle[0]))


def shapes_in_phil(text: str) -> dict[str, Any]:
    """The shapes in a PHIL of ``dials.generate_mask``, in the form used by the mask tool of the page.

    Returns:
        ``border``, ``d_min``, ``d_max``, ``resolution_ranges`` and ``shapes``: kind, panel and numbers of each.

    Raises:
        UsageError: it is no such PHIL, or it says something that the tool does not know.
    """
    try:
        params = _parameters(text)
    except Exception as error:
        raise UsageError(f"This is not PHIL of dials.generate_mask: {str(error).strip().splitlines()[0]}.") from error
    if params.ice_rings.filter:
        raise UsageError("The mask tool does not know ice_rings; give their resolution ranges instead.")
    shapes = []
    for region in params.untrusted:
        for kind in ("circle", "rectangle", "polygon", "pixel"):
            numbers = getattr(region, kind)
            if numbers is not None:
                if kind == "pixel":
                    slow, fast = numbers
                    kind, numbers = "rectangle", [fast, fast + 1, slow, slow + 1]
                shapes.append({"kind": kind, "panel": region.panel or 0, "numbers": [int(x) for x in numbers]})
    ranges = [[min(pair), max(pair)] for pair in params.resolution_range or [] if pair]
    return {
        "border": int(params.border or 0),
        "d_min": params.d_min,
        "d_max": params.d_max,
        "resolution_ranges": ranges,
        "shapes": shapes,
    }


def all_true(detector: Any) -> Mask:
    """A mask without masked pixels."""
    return tuple(flex.bool(flex.grid(*panel.get_image_size()[::-1]), True) for panel in detector)
