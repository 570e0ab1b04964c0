#!/usr/bin/env bash
# The Bravais type of a rhombohedral crystal depends on the axes in which it is described.
#
# One would guess: cctbx's bravais_lattice gives hR for R 3 in hexagonal and in rhombohedral axes, as the lattice is the same.
# What happens: it gives hP for rhombohedral axes, since it takes the centring from the symbol of the setting.
# Seen with: cctbx 2022.9 (Debian 12, python3-cctbx)
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
needs_debian python3-cctbx 2022.9

seen="R 3 :H: hR
R 3 :R: hP
R 3 2 :R: hP"
came_out=$("$python" - <<'CODE'
from cctbx.sgtbx.bravais_types import bravais_lattice

for symbol in ("R 3 :H", "R 3 :R", "R 3 2 :R"):
    print(f"{symbol}: {bravais_lattice(symbol)}")
CODE
)
compare "$seen" "$came_out"
