#!/usr/bin/env bash
# A three-dimensional pixel_mask masks nothing.
#
# One would guess: NXmx allows pixel_mask[n, rows, columns], so one of [1, rows, columns] masks as one of [rows, columns] does.
# What happens: it is silently ignored, and bad pixels are trusted.
# Seen with: dxtbx of DIALS 3.12.1 (Debian 12, python3-dials)
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
needs_debian python3-dials 3.12.1

seen="mask of shape (60, 80): 800 pixels masked
mask of shape (1, 60, 80): 0 pixels masked"
came_out=$("$python" - <<'CODE'
import numpy as np
import nxmx
from dxtbx.model.experiment_list import ExperimentListFactory

mask = np.zeros((60, 80), dtype="u4")
mask[:10] = 1
for shaped in (mask, mask[None]):
    path = nxmx.write(f"mask{shaped.ndim}_1.h5", np.ones((1, 60, 80), dtype="u2"), mask=shaped)
    (experiment,) = ExperimentListFactory.from_filenames([path])
    good = experiment.imageset.get_mask(0)[0].as_numpy_array()
    print(f"mask of shape {shaped.shape}: {(~good).sum()} pixels masked")
CODE
)
compare "$seen" "$came_out"
