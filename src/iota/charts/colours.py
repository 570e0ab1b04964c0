"""Colours of outcomes and other categories.

They were searched for so that any two differ by at least 19 in CIE L*a*b* for people with normal, red-, green- and
blue-blind sight (Machado, Oliveira & Fernandes, IEEE Trans. Vis. Comput. Graph. (2009) 15, 1291), and stand out at
least 2 : 1 from a white and from a nearly black page.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from iota.records import OUTCOMES, Outcome

OUTCOME_COLOURS: Mapping[Outcome, str] = {
    "integrated": "#1779d0",
    "failed_import": "#901f86",
    "failed_triage": "#978795",
    "too_many_spots": "#906038",
    "failed_spotfinding": "#8bac53",
    "failed_indexing": "#eea700",
    "failed_refinement": "#e33d00",
    "failed_integration": "#6334da",
    "failed_filter": "#35cf93",
    "crashed": "#8a1f3d",
    "timed_out": "#dfa0ea",
}
BY_CODE: tuple[str, ...] = tuple(OUTCOME_COLOURS[outcome] for outcome in OUTCOMES)  # as column "outcome" counts

LATTICES = OUTCOME_COLOURS["integrated"]  # of what is counted over integrated lattices
SELECTED = "#00a3a3"

_FEW_TO_MANY = ((92, 60, 196), (44, 110, 190), (23, 144, 144), (94, 190, 92), (247, 220, 60))


def few_to_many(share: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    """Colours from dark violet for 0 to yellow for 1, rising in lightness; `[..., 3]`, red green blue."""
    stops = np.linspace(0.0, 1.0, len(_FEW_TO_MANY))
    channels = [np.interp(share, stops, [colour[k] for colour in _FEW_TO_MANY]) for k in range(3)]
    return np.rint(np.stack(channels, axis=-1)).astype(np.uint8)


def coloured(share: npt.NDArray[np.float64], opacity: npt.NDArray[np.uint8] | int = 255) -> npt.NDArray[np.uint8]:
    """The same as pixels of a picture, `[..., 4]`."""
    pixels = np.empty((*share.shape, 4), np.uint8)
    pixels[..., :3], pixels[..., 3] = few_to_many(share), opacity
    return pixels


def ink_on(red: int, green: int, blue: int) -> str:
    """Black or white, whichever can be read on a colour."""
    return "#111111" if 0.3 * red + 0.59 * green + 0.11 * blue > 120 else "#ffffff"
