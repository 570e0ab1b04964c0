#!/usr/bin/env bash
# cfel_fmt adds an axis of a CrystFEL geometry to the default axis instead of replacing it.
#
# One would guess: fs = -y is the direction (0, -1, 0), as in CrystFEL.
# What happens: components that are not given keep their default values, fs = (1, 1, 0) and ss = (1, 1, 0), so fs = -y is (1, -1, 0) and
# its length is 1.41. A geometry with fs = y and ss = x is refused as singular. With all components written out it is read correctly.
# Seen with: cfel_fmt 2.2.0, numpy 2.4.6, pandas 2.3.3
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
installs cfel_fmt==2.2.0 numpy==2.4.6 pandas==2.3.3

seen="fs = -y: (1.0, -1.0, 0.0)
fs = +0.0x -1.0y: (0.0, -1.0, 0.0)
fs = y, ss = x: RuntimeError"
came_out=$("$python" - <<'CODE'
from io import StringIO

from cfel_fmt.geometry import load_crystfel_geometry

GEOMETRY = """photon_energy = 9000
clen = 0.1
res = 10000
adu_per_eV = 0.0001
p0/min_fs = 0
p0/max_fs = 9
p0/min_ss = 0
p0/max_ss = 9
p0/corner_x = 0
p0/corner_y = 0
p0/fs = {}
p0/ss = {}
"""
for fs, ss in (("-y", "+x"), ("+0.0x -1.0y", "+1.0x +0.0y")):
    panel = load_crystfel_geometry(StringIO(GEOMETRY.format(fs, ss))).detector["panels"]["p0"]
    print(f"fs = {fs}:", tuple(panel[name] for name in ("fsx", "fsy", "fsz")))
try:
    load_crystfel_geometry(StringIO(GEOMETRY.format("y", "x")))
except RuntimeError as error:
    print("fs = y, ss = x:", type(error).__name__)
CODE
)
compare "$seen" "$came_out"
