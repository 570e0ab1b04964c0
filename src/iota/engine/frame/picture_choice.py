"""Decides which pictures are drawn of each frame, without importing matplotlib."""

from __future__ import annotations

import msgspec


class Pictures(msgspec.Struct, frozen=True):
    """Pictures of each integrated frame."""

    predictions: bool = False  # over the image
    vectors: bool = False  # from predicted to observed spots
    trumpet: bool = False  # how far reflections are from the Ewald sphere, against resolution
