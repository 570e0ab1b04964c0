"""From paths to frames: finds the images in files, folders, wildcards and lists, and watches for new ones.

Start at :func:`iota.inputs.finding.find.find_frames`; in monitor mode, at
:class:`iota.inputs.watching.watch.Watcher`.
"""

from __future__ import annotations

from iota.inputs.finding.find import Inputs, Source, find_frames
from iota.inputs.names.order import natural_key
from iota.inputs.names.problem import Problem
from iota.inputs.watching.watch import Watcher

__all__ = ["Inputs", "Problem", "Source", "Watcher", "find_frames", "natural_key"]
