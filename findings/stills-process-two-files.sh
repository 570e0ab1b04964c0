#!/usr/bin/env bash
# dials.stills_process accepts one multi-image file, but not two.
#
# One would guess: what works with a.h5 works with a.h5 and b.h5.
# What happens: "Found more than one imageset in file", although the stills of one file alone are also separate image sets. The workaround is
# dispatch.pre_import=True.
# Seen with: DIALS 3.12.1 (Debian 12, python3-dials)
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
needs_debian python3-dials 3.12.1

seen="a_1.h5: processed
a_1.h5 b_1.h5: Abort: Found more than one imageset in file: a_1.h5
a_1.h5 b_1.h5 dispatch.pre_import=True: processed"
"$python" - <<'CODE'
import numpy as np
import nxmx

for name in ("a", "b"):
    nxmx.write(f"{name}_1.h5", np.full((3, 60, 80), 1, dtype="u2"))
CODE
run() { # prints what became of it
  local said
  said=$("$python" -m dials.command_line.stills_process "$@" mp.nproc=1 2>&1 | grep -o 'Abort: .*\|Total Time Taken' | head -1 || true)
  printf '%s: %s\n' "$*" "${said/Total Time Taken/processed}"
}
came_out=$(
  run a_1.h5
  run a_1.h5 b_1.h5
  run a_1.h5 b_1.h5 dispatch.pre_import=True
)
compare "$seen" "$came_out"
