#!/usr/bin/env bash
# An MTZ file in a non-standard setting gets a number in place of its space group symbol.
#
# One would guess: iotbx.mtz writes the Hermann-Mauguin symbol that cctbx prints for the space group, such as P 21 1 1.
# What happens: symbols come from CCP4's older symop.lib; settings that it lacks get "No.4" or "No.5", which gemmi does not
# recognise as a space group. The symmetry operators and the number are right.
# Seen with: cctbx 2022.9 (Debian 12, python3-cctbx)
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
needs_debian python3-cctbx 2022.9

seen="P 1 21 1: P21 4
P 21 1 1: No.4 4
C 2 1 1: No.5 5"
came_out=$("$python" - <<'CODE'
from cctbx import sgtbx
from iotbx import mtz

for symbol in ("P 1 21 1", "P 21 1 1", "C 2 1 1"):
    file = mtz.object()
    file.set_space_group_info(sgtbx.space_group_info(symbol))
    print(f"{symbol}: {file.space_group_name()} {file.space_group_number()}")
CODE
)
compare "$seen" "$came_out"
