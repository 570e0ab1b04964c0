"""Records as rows: one for each frame, one for each lattice."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from iota.analysis.codes import Codes, without_numbers
from iota.analysis.columns import COLUMNS, STAGES
from iota.analysis.growing import GrowingColumns
from iota.analysis.ledger_lines import Line, line_digest
from iota.records import OUTCOMES

_NAN = float("nan")
_OUTCOME_CODES = {outcome: code for code, outcome in enumerate(OUTCOMES)}
FRAME_DTYPES: dict[str, str] = {column.name: column.dtype for column in COLUMNS.values() if column.of == "frame"} | {
    "_offset": "i8",  # where the line begins (bytes)
    "_best": "i4",  # row of the frame's best lattice, -1 where there is none
    "_digest": "u4",  # of the frame, to find it
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
        reasons: Sequence[str] = (),
        settings: Sequence[str] = (),
        remarks: Sequence[str] = (),
        symmetries: Sequence[tuple[str, str]] = (),
    ) -> None:
        self.frames = GrowingColumns(FRAME_DTYPES) if frames is None else frames
        self.lattices = GrowingColumns(LATTICE_DTYPES) if lattices is None else lattices
        self.reasons = Codes(reasons, same=without_numbers)
        self.settings = Codes(settings)
        self.remarks = Codes(remarks)  # those of a frame are one word, a line each
        self.symmetries = Codes(symmetries)

    def append(self, lines: Sequence[Line], offsets: npt.NDArray[np.int64]) -> None:
        """Append the rows of lines; ``offsets`` (bytes) is where they begin in the ledger, `[n_lines]`."""
        first = self.frames.n_rows
        n_lattices = [len(line.lattices) for line in lines]
        best = self._append_lattices(lines, np.repeat(np.arange(first, first + len(lines)), n_lattices))
        self.frames.append(
            {
                "outcome": [_OUTCOME_CODES[line.outcome] for line in lines],
                "reason": self.reasons.codes([line.reason for line in lines]),
                "settings": self.settings.codes([line.settings for line in lines]),
                "remarks": self.remarks.codes(["\n".join(line.remarks) for line in lines]),
                "finished": [line.finished for line in lines],
                "seconds": [sum(line.seconds.values()) for line in lines],
                **{f"seconds_{stage}": [line.seconds.get(stage, _NAN) for line in lines] for stage in STAGES},
                "n_spots": [line.n_spots for line in lines],
                "spots_d_min_A": [line.spots_d_min_A for line in lines],
                "n_lattices": np.minimum(n_lattices, 255),
                "_offset": offsets,
                "_best": best,
                "_digest": [line_digest(line) for line in lines],
            },
            len(lines),
        )

    def _append_lattices(self, lines: Sequence[Line], rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Append lattices, before their frames; returns the row of each frame's best lattice, -1 for none."""
        best = np.full(len(lines), -1, dtype=np.int64)
        if not len(rows):
            return best
        lattices = [lattice for line in lines for lattice in line.lattices]
        values = np.array(
            [
                (
                    x.d_min_A,
                    x.n_indexed,
                    x.n_integrated,
                    x.n_strong,
                    x.rmsd_px,
                    x.wilson_b_A2,
                    x.mosaicity_deg,
                    x.domain_size_A,
                    *x.beam_centre_px,
                    *x.beam_centre_mm,
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
