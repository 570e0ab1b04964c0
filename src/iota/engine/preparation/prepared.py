"""The results of the preparation of a run; does not import DIALS."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from iota.records import FrameRef

N_SAMPLE_FRAMES = 10  # images from which shadow and gain are found
_TRIED = 50  # images to open before it is said that none can be read


class Prepared(msgspec.Struct, kw_only=True):
    """The results of the preparation of a run."""

    target: str
    gain: float | None = None  # as estimated; None where that was not asked for
    remarks: list[str] = []  # for people


def sample_frames(frames: Sequence[FrameRef]) -> list[FrameRef]:
    """Frames from which a run is prepared: spread evenly over it, then its first ones in case those are unreadable."""
    spread = frames[:: max(1, len(frames) // N_SAMPLE_FRAMES)]
    return list(dict.fromkeys([*spread, *frames[:_TRIED]]))[:_TRIED]
