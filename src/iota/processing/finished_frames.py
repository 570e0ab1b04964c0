"""Reads what a resumed run needs from its ledger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from iota.inputs.watching.seen import key_of
from iota.records import NOT_HITS, FrameRef, FrameResult, Outcome
from iota.runs import FrameNames, RunFolder, iterate_ledger
from iota.runs.sampling import scouting_key

_FIRST = 500  # hits, more than a revision of the geometry looks at


@dataclass
class FinishedFrames:
    """The contents of the ledger of a run, without its records."""

    outcomes: dict[FrameRef, Outcome] = field(default_factory=dict)
    remarks: set[str] = field(default_factory=set)
    files_read: set[int] = field(default_factory=set)
    """Keys of the files that records were made from (:func:`iota.inputs.watching.seen.key_of`), in monitor mode."""
    n_unreadable: int = 0
    """Lines that are damaged; their frames are processed again."""


def read_finished_frames(folder: RunFolder, names: FrameNames, *, files: bool) -> FinishedFrames:
    """Read the ledger of a run once.

    Args:
        folder: of the run.
        names: gets the name of each frame that has a record.
        files: whether keys of files are wanted.
    """
    finished = FinishedFrames()
    records = iterate_ledger(folder.ledger)
    for result in records:
        names.give(result.frame, result.name)
        finished.outcomes[result.frame] = result.outcome
        finished.remarks.update(result.remarks)
        if files and result.file is not None:
            finished.files_read.add(key_of(result.file))
    finished.n_unreadable = records.n_unreadable
    return finished


def first_hits(folder: RunFolder, outcomes: Mapping[FrameRef, Outcome]) -> list[FrameResult]:
    """Records of the first hits in scouting order, of the frames in the ledger of a run with these outcomes."""
    hits = [frame for frame, outcome in outcomes.items() if outcome not in NOT_HITS]
    wanted = set(sorted(hits, key=scouting_key)[:_FIRST])
    return [result for result in iterate_ledger(folder.ledger) if result.frame in wanted] if wanted else []
