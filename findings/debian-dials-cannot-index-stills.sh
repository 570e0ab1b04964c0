#!/usr/bin/env bash
# dials.stills_process as packaged by Debian cannot index: a compiled module of cctbx is missing.
#
# One would guess: the package's own command works on any still.
# What happens: each candidate lattice ends in an ImportError when its mosaicity is estimated, since xfel_mono_sim_ext is in no
# package. DIALS calls nothing in that module: an empty module of that name in sys.modules is enough.
# Seen with: DIALS 3.12.1 with cctbx 2022.9 (Debian 12, python3-dials)
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
needs_debian python3-dials 3.12.1

seen="as packaged: ImportError about xfel_mono_sim_ext
with an empty module: minimizer"
came_out=$("$python" - 2>/dev/null <<'CODE'
import importlib
import sys
import types

WANTED = "xfel.mono_simulation.max_like"  # dials.algorithms.indexing.nave_parameters imports its minimizer
try:
    importlib.import_module(WANTED)
    print("as packaged: imported")
except ImportError as error:
    print("as packaged: ImportError about", "xfel_mono_sim_ext" if "xfel_mono_sim_ext" in str(error) else error)
for name in [name for name in sys.modules if name.startswith("xfel.mono_simulation")]:
    del sys.modules[name]
sys.modules["xfel_mono_sim_ext"] = types.ModuleType("xfel_mono_sim_ext")
print("with an empty module:", importlib.import_module(WANTED).minimizer.__name__)
CODE
)
compare "$seen" "$came_out"
