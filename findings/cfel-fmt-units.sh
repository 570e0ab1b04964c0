#!/usr/bin/env bash
# cfel_fmt cannot read a photon energy with its unit.
#
# One would guess: photon_energy = 9000 eV, as CrystFEL's own examples write it, is 9000.
# What happens: a ValueError about the text "9000eV"; only a bare number is read.
# Seen with: cfel_fmt 2.2.0, numpy 2.4.6, pandas 2.3.3
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
installs cfel_fmt==2.2.0 numpy==2.4.6 pandas==2.3.3

seen="9000: 9000.0
9000 eV: ValueError: could not convert string to float: '9000eV'
9 keV: ValueError: could not convert string to float: '9keV'"
came_out=$("$python" - <<'CODE'
from io import StringIO

from cfel_fmt.geometry import load_crystfel_geometry

GEOMETRY = """photon_energy = {}
clen = 0.1
res = 10000
adu_per_eV = 0.0001
p0/min_fs = 0
p0/max_fs = 9
p0/min_ss = 0
p0/max_ss = 9
p0/corner_x = 0
p0/corner_y = 0
p0/fs = +1.0x +0.0y
p0/ss = +0.0x +1.0y
"""
for energy in ("9000", "9000 eV", "9 keV"):
    try:
        print(f"{energy}:", load_crystfel_geometry(StringIO(GEOMETRY.format(energy))).beam["photon_energy"])
    except ValueError as error:
        print(f"{energy}: ValueError: {error}")
CODE
)
compare "$seen" "$came_out"
