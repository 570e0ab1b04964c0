"""The run folder: ledger, lists of images, scripts, state, lock."""

from iota.runs.folder import RunFolder
from iota.runs.ledger import Ledger, iterate_ledger, read_ledger
from iota.runs.names import FrameNames
from iota.runs.state import RunState, read_state

__all__ = ["FrameNames", "Ledger", "RunFolder", "RunState", "iterate_ledger", "read_ledger", "read_state"]
