"""From paths to frames: whatever a person names, as one list of frames in natural order without duplicates.

Start at :func:`iota.inputs.find.find_frames`.
"""

from __future__ import annotations

from iota.inputs.find import Inputs, Source, find_frames
from iota.inputs.order import natural_key
from iota.inputs.problem import Problem

__all__ = ["Inputs", "Problem", "Source", "find_frames", "natural_key"]
