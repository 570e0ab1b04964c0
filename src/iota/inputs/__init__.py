"""From paths to frames: whatever a person names, as one list of frames in natural order without duplicates.

Start at :func:`iota.inputs.find.find_frames`, and in monitor mode at :class:`iota.inputs.watch.Watcher`.
"""

from __future__ import annotations

from iota.inputs.find import Inputs, Source, find_frames
from iota.inputs.order import natural_key
from iota.inputs.problem import Problem
from iota.inputs.watch import Watcher

__all__ = ["Inputs", "Problem", "Source", "Watcher", "find_frames", "natural_key"]
