"""Converts records to rows: one per frame, one per lattice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from iota.analysis.table.codes import Codes
from iota.analysis.table.columns import COLUMNS, STAGES
from iota.analysis.table.growing import GrowingColumns
from iota.analysis.table.reasons import Reasons
from iota.records import OUTCOMES, FrameResult
from iota.runs.ledger import Piece

_NAN = float("nan")
_NANS = (_NAN, _NAN)
_OUTCOME_CODES = {outcome: code for code, outcome in enumerate(OUTCOMES)}
FRAME_DTYPES: dict[str, str] = {column.name: column.dtype for column in COLUMNS.values() if column.of == "frame"} | {
    "_offset": "i8",  # where the line begins (bytes)
    "_best": "i4",  # row of the frame's best lattice, -1 where there is none
    "_digest": "u8",  # of the frame, to find it
}
LATTICE_DTYPES: dict[str, str] = {
    column.name: column.dtype for column in COLUMNS.values() if column.of == "lattice"
} | {
    "_row": "i4",  # of its frame
}
_VALUES = [name for name in LATTICE_DTYPES if name not in ("symmetry", "_row")]


class Rows:
    """Rows of frames and of lattices, with the words that their codes stand for."""

    def __init__(
        self,
        frames: GrowingColumns | None = None,
        lattices: GrowingColumns | None = None,
        reasons: Reasons | None = None,
        settings: Sequence[str] = (),
        remarks: Sequence[str] = (),
        symmetries: Sequence[tuple[str, str]] = (),
    ) -> None:
        self.frames = GrowingColumns(FRAME_DTYPES) if frames is None else frames
        self.lattices = GrowingColumns(LATTICE_DTYPES) if lattices is None else lattices
        self.reasons = Reasons() if reasons is None else reasons
        self.settings = Codes(settings)
        self.remarks = Codes(remarks)  # those of a frame are one word, a line each
        self.symmetries = Codes(symmetries)

    def append(self, piece: Piece) -> None:
        """Append the rows of records."""
        first, records = self.frames.n_rows, piece.records
        n_lattices = [len(record.lattices) for record in records]
        best = self._append_lattices(records, np.repeat(np.arange(first, first + len(records)), n_lattices))
        self.frames.append(
            {
                "outcome": [_OUTCOME_CODES[record.outcome] for record in records],
                "reason": self.reasons.codes(records),
                "settings": self.settings.codes([record.settings for record in records]),
                "remarks": self.remarks.codes(["\n".join(record.remarks) for record in records]),
                "finished": [record.finished for record in records],
                "seconds": [sum(record.seconds.values()) for record in records],
                **{f"seconds_{stage}": [record.seconds.get(stage, _NAN) for record in records] for stage in STAGES},
                "n_spots": _or_nan(record.n_spots for record in records),
                "spots_d_min_A": _or_nan(record.spots_d_min_A for record in records),
                "n_lattices": np.minimum(n_lattices, 255),
                "_offset": piece.starts,
                "_best": best,
                "_digest": piece.digests,
            },
            len(records),
        )

    def _append_lattices(self, records: Sequence[FrameResult], rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Append lattices, before their frames; returns the row of each frame's best lattice, -1 for none."""
        best = np.full(len(records), -1, dtype=np.int64)
        if not len(rows):
            return best
        lattices = [lattice for record in records for lattice in record.lattices]
        values = np.array(
            [
                (
                    x.d_min_A,
                    x.n_indexed,
                    x.n_integrated,
                    x.n_strong,
                    x.rmsd_px,
                    x.wilson_b_A2,
                    x.half_mosaicity_deg,
                    x.domain_size_A,
                    *(x.beam_centre_px or _NANS),
                    *(x.beam_centre_mm or _NANS),
                    x.distance_mm,
                    *x.unit_cell,
                )
                for x in lattices
            ],
            dtype=np.float32,
        )
        symmetry = self.symmetries.codes([(x.bravais, x.space_group) for x in lattices])
        columns = dict(zip(_VALUES, values.T, strict=True))
        # in order of frame, then of integrated reflections, of equal ones the first last: the last of a frame is best
        order = np.lexsort((-np.arange(len(rows)), columns["n_integrated"], rows))
        best[rows[order] - self.frames.n_rows] = order + self.lattices.n_rows
        self.lattices.append({**columns, "symmetry": symmetry, "_row": rows}, len(rows))
        return best


def _or_nan(values: Iterable[float | None]) -> list[float]:
    return [_NAN if value is None else value for value in values]
