"""Requests and responses of the API, except records, states and summaries."""

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
    """A run to start, as on the command line: a script, inputs, and parameters that override the script."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    script: Annotated[str, Field(max_length=1_000_000)] = ""
    """Parameters of IOTA, in PHIL."""
    target: Annotated[str, Field(max_length=1_000_000)] = ""
    """Parameters of the backend, in PHIL."""
    inputs: Annotated[list[_Line], Field(max_length=10_000)] = []
    """Paths, wildcards, lists."""
    assignments: Annotated[list[_Line], Field(max_length=1000)] = []
    """name=value, as on the command line."""
    project: _Line = ""
    """One of the projects in the list of runs; if empty, that of this server."""


class FrameRow(FrameResult, kw_only=True, omit_defaults=False):
    """A record and its row; all fields are present, those without a value as null or empty."""

    row: int
    """Row in the ledger, from 0."""


class RunList(msgspec.Struct, frozen=True):
    """Runs, the newest of a project first."""

    runs: list[RunEntry]
    """The runs."""


class TableInfo(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a run's ledger has been read, and the meaning of its codes."""

    n_rows: int
    """Number of frames that have been read."""
    n_lattices: int
    """Number of lattices that have been read."""
    generation: int
    """Changes when all rows become invalid because the run was replaced."""
    progress: float
    """Fraction of the ledger that has been read, 0 to 1."""
    n_unreadable: int
    """Lines of the ledger that are not records."""
    reasons: list[str]
    """Reasons by code; their numbers are replaced by …."""
    causes: list[str]
    """Code of the cause of each reason."""
    settings: list[str]
    """Settings by code."""
    remarks: list[str]
    """Remarks on files and headers by code; those of one frame are one entry, one per line."""
    symmetries: list[str]
    """Bravais types and space groups by code."""


class RunDetail(msgspec.Struct, frozen=True, kw_only=True):
    """One run."""

    run: RunEntry
    """Its entry in the list of runs."""
    state: RunState | None
    """State last written by the run."""
    info: RunInfo | None
    """How it was started."""
    summary: Summary
    """Counts and typical values."""
    facts: list[Fact]
    """The items of the summary, as log, pages and report show them."""
    table: TableInfo
    """How much of its ledger has been read."""
    problem: str = ""
    """Why files of the run cannot be read."""


class FramePage(msgspec.Struct, frozen=True, kw_only=True):
    """One page of matching frames."""

    total: int
    """Number of matching frames."""
    offset: int
    """Number of matching frames before these."""
    progress: float
    """Fraction of the ledger that has been read, 0 to 1; below 1, more frames will follow."""
    frames: list[FrameRow]
    """The records."""


class ColumnList(msgspec.Struct, frozen=True):
    """The available columns, and the outcomes by code."""

    columns: list[Column]
    """Columns of frames and lattices."""
    outcomes: list[str]
    """Outcomes by code."""
    no_code: int = 65535
    """The code for no value."""
    old_names: dict[str, str] = {}
    """Names from earlier versions that are still accepted -> current names."""


class Versions(msgspec.Struct, frozen=True):
    """Versions of the components of this server."""

    iota: str
    """Version of IOTA."""
    api: int
    """Version of this API."""
    record_format: int
    """Version of the format of records."""
    python: str
    """Version of Python."""
    packages: dict[str, str]
    """Package -> version."""


class Ordered(msgspec.Struct, frozen=True):
    """The run that was started or given an order."""

    id: str
    """Id of the run."""
    folder: str
    """The run folder."""
