"""What the engine returns for an image that is being viewed: geometry, contrast, counts, marks."""

from __future__ import annotations

import msgspec

Rectangle = tuple[int, int, int, int]  # fast from and to, slow from and to (px); the ends do not belong to it


class PanelPlace(msgspec.Struct, kw_only=True):
    """One panel: its size, and the linear maps from its pixels (fast, slow) to plane and laboratory."""

    name: str
    size: tuple[int, int]  # fast, slow
    origin: tuple[float, float]  # of pixel (0, 0) on the plane, in its pixels
    fast: tuple[float, float]  # step of one pixel on the plane
    slow: tuple[float, float]
    lab_origin: tuple[float, float, float]  # mm
    lab_fast: tuple[float, float, float]  # step of one pixel, mm
    lab_slow: tuple[float, float, float]


class Layout(msgspec.Struct, kw_only=True):
    """All panels of a detector on a plane of ``width`` x ``height`` pixels of ``pixel_mm``, and the beam."""

    width: float
    height: float
    pixel_mm: float
    panels: list[PanelPlace]
    plane_origin: tuple[float, float, float]  # of position (0, 0) in the laboratory, mm
    plane_x: tuple[float, float, float]  # step of one pixel of the plane, mm
    plane_y: tuple[float, float, float]
    s0: tuple[float, float, float]  # direction of the beam, length 1
    wavelength_A: float
    distance_mm: float
    beam: tuple[float, float] | None  # on the plane; None where the beam never meets it
    beam_panel: tuple[int, float, float] | None  # panel, fast, slow (px); None where the beam meets none


class Scale(msgspec.Struct, frozen=True):
    """count = offset + step x value of a tile; (0, 1) where counts are whole, positive and below 65535."""

    offset: float = 0.0
    step: float = 1.0


class Contrast(msgspec.Struct, frozen=True):
    """Initial contrast of a picture: the counts shown as white and as black."""

    low: float
    high: float


class Region(msgspec.Struct, kw_only=True):
    """Counts of 17 x 17 pixels, by rows; null outside of the panel and where a pixel is masked."""

    counts: list[list[int | float | None]]
    d_A: float | None  # resolution of the central pixel; null in the beam
    panel: str  # name


class Marks(msgspec.Struct, kw_only=True):
    """Positions on panels (px, pixel 0 spans 0 to 1); all lists of one length."""

    panel: list[int] = []
    x: list[float] = []  # fast
    y: list[float] = []  # slow


class Spots(Marks, kw_only=True):
    """Strong spots; ``lattice`` is the number of the lattice that each belongs to, -1 for none."""

    n_pixels: list[int] = []
    lattice: list[int] = []


class LatticeMarks(Marks, kw_only=True):
    """Reflections of a lattice where they are predicted, with Miller indices and I/sigma."""

    unit_cell: list[float] = []  # A, deg
    space_group: str = ""
    h: list[int] = []
    k: list[int] = []
    l: list[int] = []  # noqa: E741 - the third Miller index
    i_over_sigma: list[float] = []


class MaskedPixels(msgspec.Struct, kw_only=True):
    """Pixels that a mask hides, as rectangles on each panel: start and end along fast and slow, ends not included."""

    rectangles: list[list[Rectangle]]
    n_masked: int
    n_pixels: int  # of the detector


class SavedMask(msgspec.Struct, kw_only=True):
    """A mask that was written, and the PHIL of its shapes."""

    mask: str  # path
    phil: str  # path
    n_masked: int  # pixels
