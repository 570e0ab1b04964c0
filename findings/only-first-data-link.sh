#!/usr/bin/env bash
# Of data_000001, data_000002 ... without "data" only the first is read.
#
# One would guess: an NXmx file whose NXdata group holds data_000001 to data_000003, as DECTRIS and NeXus allow, has the images of all three.
# What happens: only those of data_000001 are found, silently. dxtbx follows all of them only in legacy DECTRIS masters.
# Seen with: dxtbx of DIALS 3.12.1 (Debian 12, python3-dials)
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
needs_debian python3-dials 3.12.1

seen="images in the file: 6
experiments: 2"
came_out=$("$python" - <<'CODE'
import numpy as np
import nxmx
from dxtbx.model.experiment_list import ExperimentListFactory

images = np.ones((6, 60, 80), dtype="u2")


def three_links(entry):
    group = entry.create_group("data")
    group.attrs["NX_class"] = np.bytes_("NXdata")
    for k in range(3):
        group[f"data_{k + 1:06d}"] = images[2 * k : 2 * k + 2]


path = nxmx.write("linked_1.h5", images, data=three_links)
print("images in the file:", len(images))
print("experiments:", len(ExperimentListFactory.from_filenames([path])))
CODE
)
compare "$seen" "$came_out"
