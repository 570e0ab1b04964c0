"""Converts shapes of the mask tool to PHIL for ``dials.generate_mask``."""

from __future__ import annotations

from typing import Literal

import msgspec

from iota.errors import UsageError

_MAX_SHAPES = 20_000
_N_NUMBERS = {"circle": 3, "rectangle": 4}


class Shape(msgspec.Struct, frozen=True):
    """One shape on a panel, in its pixels.

    Numbers as in DIALS: circle x y r; rectangle x0 x1 y0 y1, ends not included; polygon x y x y ...
    """

    kind: Literal["circle", "rectangle", "polygon"]
    numbers: list[int]
    panel: int = 0


class MaskDrawing(msgspec.Struct, frozen=True):
    """A mask as drawn: shapes, panel edges, resolution limits (A), and masks from files."""

    shapes: list[Shape] = []
    border: int = 0  # px at the edges of each panel
    d_min: float | None = None
    d_max: float | None = None
    resolution_ranges: list[tuple[float, float]] = []
    base: list[str] = []  # paths of masks that are joined

    def __post_init__(self) -> None:
        """Refuse what DIALS would not understand.

        Raises:
            UsageError: the text says which numbers are wrong.
        """
        if len(self.shapes) > _MAX_SHAPES:
            raise UsageError(f"A mask of more than {_MAX_SHAPES:,} shapes cannot be drawn; use a file instead.")
        for shape in self.shapes:
            _check(shape)
        if not 0 <= self.border <= 1000:
            raise UsageError("Edges must be between 0 and 1000 pixels wide.")
        for d_A in (self.d_min, self.d_max, *(d for pair in self.resolution_ranges for d in pair)):
            if d_A is not None and not 0 < d_A < 1e6:
                raise UsageError(f"A resolution of {d_A:g} A is not a valid limit; enter a number above 0.")
        for one, other in self.resolution_ranges:
            if one == other:
                raise UsageError(f"From {one:g} to {other:g} A is an empty range; enter two different limits.")


def _check(shape: Shape) -> None:
    numbers = shape.numbers
    wanted = _N_NUMBERS.get(shape.kind)
    is_polygon = shape.kind == "polygon" and len(numbers) >= 6 and len(numbers) % 2 == 0
    if len(numbers) != wanted and not is_polygon:
        raise UsageError(f"A {shape.kind} has {wanted or 'three or more pairs of'} numbers, not {len(numbers)}.")
    if shape.panel < 0 or (shape.kind != "circle" and min(numbers) < 0):
        raise UsageError(f"DIALS does not accept negative numbers for a {shape.kind}; draw it within the panel.")
    if max(map(abs, numbers)) > 1_000_000:
        raise UsageError(f"The {shape.kind} is far outside the detector.")
    if shape.kind == "circle" and numbers[2] <= 0:
        raise UsageError("A circle needs a radius above 0.")


def phil_of(drawing: MaskDrawing) -> str:
    """Parameters of ``dials.generate_mask``; without its files in ``base``, which that program does not know."""
    lines = [f"border = {drawing.border}"] if drawing.border else []
    lines += [f"{name} = {value:g}" for name in ("d_min", "d_max") if (value := getattr(drawing, name)) is not None]
    lines += [f"resolution_range = {min(pair):g} {max(pair):g}" for pair in drawing.resolution_ranges]
    for shape in drawing.shapes:
        numbers = " ".join(map(str, shape.numbers))
        lines += ["untrusted {", f"  panel = {shape.panel}", f"  {shape.kind} = {numbers}", "}"]
    return "\n".join(lines) + "\n"
