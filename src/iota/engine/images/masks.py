"""Reads, checks, combines and writes masks of pixels to be ignored."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dials.array_family import flex

from iota.atomic_files import atomic_file
from iota.engine.backend.literal_pickles import NotAdmittedError, load
from iota.errors import NotFoundError, UsageError

Mask = tuple[Any, ...]  # flex.bool for each panel, (slow, fast); True is looked at

_MAX_BYTES = 400_000_000  # 18 Mpixel are 18 to 40 MB


def load_mask(path: Path) -> Mask:
    """Read a mask that dials.generate_mask or the mask tool of dials.image_viewer has written.

    Raises:
        NotFoundError: there is no such file.
        UsageError: it cannot be read, or is something else than a mask; nothing in it is run.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise UsageError(f"The mask {path} is larger than any mask is.")
        with path.open("rb") as file:
            found = load(file, encoding="latin1")
    except FileNotFoundError as error:
        raise NotFoundError(f"The mask {path} cannot be read: {error.strerror}.") from error
    except OSError as error:
        raise UsageError(f"The mask {path} cannot be read: {error.strerror}.") from error
    except UsageError:
        raise
    except Exception as error:  # whatever hostile or damaged bytes lead to, in C++ too
        why = f" ({error})" if isinstance(error, NotAdmittedError) else ""
        raise UsageError(
            f"{path} is not a mask{why}. Make one with dials.generate_mask or the mask tool of dials.image_viewer."
        ) from error
    panels = tuple(found) if isinstance(found, tuple | list) else (found,)
    if not panels or not all(isinstance(panel, flex.bool) and panel.nd() == 2 for panel in panels):
        raise UsageError(f"{path} is not a mask: a mask is an array of truth values for each panel of the detector.")
    return panels


Shape = list[tuple[int, int]]  # (slow, fast) of each panel


def shape_of(mask: Mask) -> Shape:
    """Shapes of its panels."""
    return [panel.all() for panel in mask]


def check_shape(mask: Mask, detector: Any, what: str) -> None:
    """Check that a mask matches the panels of a detector.

    Raises:
        UsageError: it does not; the text says both shapes.
    """
    differs = difference(shape_of(mask), detector)
    if differs is not None:
        raise UsageError(f"{what} has {differs[0]}, but the images have {differs[1]}. Make one from these images.")


def difference(found: Shape, detector: Any) -> tuple[str, str] | None:
    """Shapes of a mask and of the panels of a detector, in words; None if the mask matches."""
    wanted = [panel.get_image_size()[::-1] for panel in detector]
    return None if found == wanted else (_shape_text(found), _shape_text(wanted))


def check_something_is_left(mask: Mask, what: str) -> None:
    """Check that a mask does not mask every pixel.

    Raises:
        UsageError: it does.
    """
    if not any(panel.count(True) for panel in mask):
        raise UsageError(f"{what} masks every pixel; in a mask, True marks good pixels. Make a new one.")


def _shape_text(shapes: Sequence[tuple[int, int]]) -> str:
    sizes = sorted({f"{fast} x {slow}" for slow, fast in shapes})
    panels = "1 panel" if len(shapes) == 1 else f"{len(shapes)} panels"
    return f"{panels} of {' and '.join(sizes)} pixels"


def joined(masks: Sequence[Mask]) -> Mask:
    """Combined mask: pixels that are valid in all masks."""
    first, *others = masks
    panels = [panel.deep_copy() for panel in first]
    for other in others:
        for panel, more in zip(panels, other, strict=True):
            panel &= more
    return tuple(panels)


def write_mask(mask: Mask, path: Path) -> None:
    """Write a mask as DIALS does; it appears in one step.

    Raises:
        OSError: the file system refuses.
    """
    with atomic_file(path) as part, part.open("wb") as file:
        pickle.dump(mask, file, protocol=pickle.HIGHEST_PROTOCOL)
