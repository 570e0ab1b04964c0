#!/usr/bin/env bash
# cctbx finds no minimum cell for some possible unit cells.
#
# One would guess: every unit cell has a reduced one, so minimum_cell(), which is used where lattices are compared, always
#   gives it.
# What happens: for some cells with a long axis and sharp angles it raises RuntimeError, although the volume is positive
#   and the Niggli cell is found.
# Seen with: cctbx 2022.9 (Debian 12)
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
needs_debian python3-cctbx 2022.9

seen='volume: 4422 A^3
niggli_cell: 2.13 5.28 395.80 89.67 89.87 82.84
minimum_cell: RuntimeError: cctbx Error: Iteration limit exceeded.'
came_out=$("$python" - <<'CODE'
from cctbx import uctbx

cell = uctbx.unit_cell((5.938, 7.190, 872.54, 30.75, 39.85, 15.17))
print(f"volume: {cell.volume():.0f} A^3")
for name in ("niggli_cell", "minimum_cell"):
    try:
        print(f"{name}:", " ".join(f"{x:.2f}" for x in getattr(cell, name)().parameters()))
    except RuntimeError as error:
        print(f"{name}: RuntimeError: {error}")
CODE
)
compare "$seen" "$came_out"
