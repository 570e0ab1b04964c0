#!/usr/bin/env bash
# A virtual data set of nexgen reads only the first file when files hold fewer than 1,000 images.
#
# One would guess: image_vds_writer determines how many images each linked file holds; two files of three images make a data set of six.
# What happens: it assumes 1,000 images per file, so all six are looked for in the first one. The last three read as zero, not as the fill
# value -1, and without an error.
# Seen with: nexgen 0.11.2, h5py 3.16.0
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
installs nexgen==0.11.2 h5py==3.16.0

seen="first pixel of each image: [1, 2, 3, 0, 0, 0]
read from: ['/entry/data/data_000001']"
came_out=$("$python" - <<'CODE'
import h5py
import numpy as np
from nexgen.tools.vds_tools import image_vds_writer

images = np.arange(1, 7, dtype="u2")[:, None, None] * np.ones((1, 4, 5), "u2")
with h5py.File("scan.nxs", "w") as master:
    group = master.create_group("entry/data")
    for k in (1, 2):
        with h5py.File(f"scan_{k:06d}.h5", "w") as file:
            file.create_dataset("data", data=images[3 * k - 3 : 3 * k], chunks=(1, 4, 5))
        group[f"data_{k:06d}"] = h5py.ExternalLink(f"scan_{k:06d}.h5", "data")
    image_vds_writer(master, images.shape)
with h5py.File("scan.nxs") as master:
    data = master["entry/data/data"]
    print("first pixel of each image:", data[:, 0, 0].tolist())
    print("read from:", [source.dset_name for source in data.virtual_sources()])
CODE
)
compare "$seen" "$came_out"
