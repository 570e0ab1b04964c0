"""What the API takes and gives, besides records, states and summaries, which are as in the run folder."""

from __future__ import annotations

from typing import Annotated

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from iota.analysis.facts import Fact
from iota.analysis.summary import Summary
from iota.analysis.table.columns import Column
from iota.records import FrameResult
from iota.runs import RunState
from iota.runs.folder import RunInfo
from iota.web.projects.projects import RunEntry

_Line = Annotated[str, Field(max_length=4096, pattern=r"^[^\x00\n]*$")]


class StartRequest(BaseModel):
    """A run to start, as at the command line: a script, what is to be processed, and what is to be different."""

    model_config = ConfigDict(extra="forbid")

    script: Annotated[str, Field(max_length=1_000_000)] = ""  # IOTA's parameters, PHIL
    target: Annotated[str, Field(max_length=1_000_000)] = ""  # parameters of the backend, PHIL
    inputs: Annotated[list[_Line], Field(max_length=10_000)] = []  # paths, wildcards, lists
    assignments: Annotated[list[_Line], Field(max_length=1000)] = []  # name=value
    project: _Line = ""  # one of those in the list of runs; empty: the one of this server


class FrameRow(FrameResult, kw_only=True, omit_defaults=False):
    """A record, and its row: all fields are there, those without a value as null or empty."""

    row: int


class RunList(msgspec.Struct, frozen=True):
    """Runs, the newest of a project first."""

    runs: list[RunEntry]


class TableInfo(msgspec.Struct, frozen=True, kw_only=True):
    """How far the frames of a run are read, and what their codes stand for."""

    n_rows: int
    n_lattices: int
    generation: int  # changes when all rows became void, because the run was replaced
    progress: float  # share of the ledger that is read, 0 to 1
    n_unreadable: int  # lines of the ledger that are no records
    reasons: list[str]  # numbers in them are replaced by …
    settings: list[str]
    remarks: list[str]  # on files and headers; those of a frame are one entry, a line each
    symmetries: list[str]


class RunDetail(msgspec.Struct, frozen=True, kw_only=True):
    """One run."""

    run: RunEntry
    state: RunState | None  # as the run last wrote it
    info: RunInfo | None  # what was started
    summary: Summary
    facts: list[Fact]  # of the summary, as log, pages and report show them
    table: TableInfo
    problem: str = ""  # why files of the run cannot be read


class FramePage(msgspec.Struct, frozen=True, kw_only=True):
    """Some of the frames that are wanted."""

    total: int  # how many are wanted
    offset: int
    progress: float  # share of the ledger that is read, 0 to 1: below 1 there are more to come
    frames: list[FrameRow]


class ColumnList(msgspec.Struct, frozen=True):
    """What columns there are, and the outcomes by code."""

    columns: list[Column]
    outcomes: list[str]
    no_code: int = 65535  # where a code has nothing to name


class Versions(msgspec.Struct, frozen=True):
    """What this server is made of."""

    iota: str
    api: int
    record_format: int
    python: str
    packages: dict[str, str]


class Ordered(msgspec.Struct, frozen=True):
    """The run that was started or got an order."""

    id: str
    folder: str
