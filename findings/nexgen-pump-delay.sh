#!/usr/bin/env bash
# nexgen writes the pump exposure as the pump delay.
#
# One would guess: pump_exp and pump_delay of an SSX collection are written as pump_exposure and pump_delay.
# What happens: both are pump_exp, so runs with different delays cannot be distinguished from their files.
# Seen with: nexgen 0.11.2, h5py 3.16.0
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
installs nexgen==0.11.2 h5py==3.16.0

seen="given: exposure 0.002 s, delay 0.05 s
pump_delay: 0.002
pump_exposure: 0.002"
came_out=$("$python" - 2>/dev/null <<'CODE'
import contextlib
import io
import logging
from pathlib import Path

import h5py
from nexgen.beamlines.SSX_Eiger_nxs import ssx_eiger_writer

logging.disable(logging.CRITICAL)
given = {"pump_exp": 0.002, "pump_delay": 0.05}
geometry = {"exp_time": 0.01, "det_dist": 300, "beam_center": [1600, 1700], "wavelength": 0.6, "bit_depth": 16}
with contextlib.redirect_stdout(io.StringIO()):
    ssx_eiger_writer(Path.cwd(), "scan", "i24", 5, "extruder", True, **geometry, **given)
print(f"given: exposure {given['pump_exp']} s, delay {given['pump_delay']} s")
with h5py.File("scan.nxs") as file:
    notes = file["entry/source/notes"]
    for name in ("pump_delay", "pump_exposure"):
        print(f"{name}: {float(notes[name][()]):g}")
CODE
)
compare "$seen" "$came_out"
