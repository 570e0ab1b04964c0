#!/usr/bin/env bash
# eiger-simulator sends bs16-lz4< images without the 12-byte header of that encoding.
#
# One would guess: an image announced as bs16-lz4< begins with its size and the block size in bytes, as from a real SIMPLON 1 stream and in HDF5.
# What happens: the raw output of bitshuffle is sent; its first 12 bytes make no sense as a header. Decoded from its first byte it is correct.
# Seen with: eiger-simulator 0.5.1, bitshuffle 0.5.2, h5py 3.16.0, numpy 2.4.6
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
installs eiger-simulator==0.5.1 bitshuffle==0.5.2 h5py==3.16.0 numpy==2.4.6

seen="announced as bs16-lz4<
begins with the size of the image: False
decoded from its first byte: True"
came_out=$("$python" - <<'CODE'
import contextlib
import io
import struct

import bitshuffle
import h5py
import numpy as np
from eigersim.web import Detector

image = np.random.default_rng(1).poisson(2, (64, 128)).astype("u2")
with h5py.File("made.h5", "w") as file:
    file["entry/data/data_000001"] = image[None]
detector = Detector(dataset="made.h5")
detector.config["compression"]["value"] = "bslz4"
with contextlib.redirect_stdout(io.StringIO()):
    detector._build_dataset()
((_, sent, header), *_) = detector.frames
print("announced as", header["encoding"])
print("begins with the size of the image:", struct.unpack(">Q", sent[:8])[0] == image.nbytes)
decoded = bitshuffle.decompress_lz4(np.frombuffer(sent, "u1"), image.shape, image.dtype)
print("decoded from its first byte:", bool((decoded == image).all()))
CODE
)
compare "$seen" "$came_out"
