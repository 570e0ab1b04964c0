"""The run folder is the truth: ledger, lists, scripts, state."""

from iota.runs.folder import RunFolder
from iota.runs.ledger import Ledger, read_ledger
from iota.runs.names import frame_names
from iota.runs.state import RunState, read_state

__all__ = ["Ledger", "RunFolder", "RunState", "frame_names", "read_ledger", "read_state"]
