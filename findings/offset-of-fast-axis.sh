#!/usr/bin/env bash
# The position of a module is lost if it is given as the offset of its fast axis.
#
# One would guess: every NXtransformation may have an offset, so a module can be placed by that of fast_pixel_direction.
# What happens: this offset is ignored, and the direct beam ends up at the corner of the first pixel. The same offset in a separate
# module_offset is read correctly.
# Seen with: dxtbx of DIALS 3.12.1 (Debian 12, python3-dials)
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
needs_debian python3-dials 3.12.1

seen="module_offset: beam at pixel 33.0, 21.0
offset of fast_pixel_direction: beam at pixel 0.0, 0.0"
came_out=$("$python" - <<'CODE'
import numpy as np
import nxmx
from dxtbx.model.experiment_list import ExperimentListFactory

for words, place in (("module_offset", "module"), ("offset of fast_pixel_direction", "fast")):
    path = nxmx.write(f"{place}_1.h5", np.ones((1, 60, 80), dtype="u2"), beam=(33, 21), origin_in=place)
    (experiment,) = ExperimentListFactory.from_filenames([path])
    x, y = experiment.detector[0].get_beam_centre_px(experiment.beam.get_s0())
    print(f"{words}: beam at pixel {abs(x):.1f}, {abs(y):.1f}")
CODE
)
compare "$seen" "$came_out"
