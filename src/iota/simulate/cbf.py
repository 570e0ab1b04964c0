"""Writes simulated frames as miniCBF files in the format of Pilatus detectors.

Header lines and byte_offset compression as described for Dectris' miniCBF and in International Tables G, 5.6; written
from the description.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from iota.atomic_files import atomic_file
from iota.errors import UsageError
from iota.simulate.experiment import Experiment

IntImage = npt.NDArray[np.int32]

PADDING = 4095
BINARY_START = b"\x0c\x1a\x04\xd5"
HC_EV_A = 12398.4198


def write_cbf(path: Path, counts: IntImage, experiment: Experiment) -> None:
    """Write ``counts`` [rows, columns] of a single-panel detector to ``path``."""
    check_writable(experiment)
    with atomic_file(path) as part:
        part.write_bytes(cbf_bytes(path.stem, counts, experiment))


def check_writable(experiment: Experiment) -> None:
    """Raise a UsageError when miniCBF cannot describe the detector."""
    if len(experiment.detector.panels) != 1:
        raise UsageError(
            f"miniCBF files describe one flat panel and the detector {experiment.detector.name} has"
            f" {len(experiment.detector.panels)}. Use --format nxs."
        )


def cbf_bytes(name: str, counts: IntImage, experiment: Experiment) -> bytes:
    """The whole file."""
    packed = compress_byte_offset(counts)
    rows, columns = counts.shape
    lines = [
        "###CBF: VERSION 1.5, written by iota.simulate",
        "",
        f"data_{name}",
        "",
        '_array_data.header_convention "PILATUS_1.2"',
        "_array_data.header_contents",
        ";",
        *header_lines(experiment),
        ";",
        "",
        "_array_data.data",
        ";",
        "--CIF-BINARY-FORMAT-SECTION--",
        "Content-Type: application/octet-stream;",
        '     conversions="x-CBF_BYTE_OFFSET"',
        "Content-Transfer-Encoding: BINARY",
        f"X-Binary-Size: {len(packed)}",
        "X-Binary-ID: 1",
        'X-Binary-Element-Type: "signed 32-bit integer"',
        "X-Binary-Element-Byte-Order: LITTLE_ENDIAN",
        f"Content-MD5: {base64.b64encode(hashlib.md5(packed, usedforsecurity=False).digest()).decode()}",
        f"X-Binary-Number-of-Elements: {counts.size}",
        f"X-Binary-Size-Fastest-Dimension: {columns}",
        f"X-Binary-Size-Second-Dimension: {rows}",
        f"X-Binary-Size-Padding: {PADDING}",
        "",
        "",
    ]
    head = "\r\n".join(lines).encode("ascii")
    tail = b"\r\n--CIF-BINARY-FORMAT-SECTION----\r\n;\r\n\r\n"
    return b"".join([head, BINARY_START, packed, bytes(PADDING), tail])


def header_lines(experiment: Experiment) -> list[str]:
    """The part of the header that describes the experiment."""
    detector, beam = experiment.stated_detector, experiment.beam
    pixel_m = detector.panels[0].pixel_mm * 1e-3
    energy_eV = HC_EV_A / beam.wavelength_A
    return [
        f"# Detector: {detector.model}, S/N 00-0000",
        "# 2020-01-01T00:00:00.000",
        f"# Pixel_size {pixel_m * 1e6:g}e-6 m x {pixel_m * 1e6:g}e-6 m",
        f"# Silicon sensor, thickness {detector.sensor_mm * 1e-3:.6f} m",
        "# Exposure_time 0.0100000 s",
        "# Exposure_period 0.0110000 s",
        "# Tau = 0 s",
        f"# Count_cutoff {detector.saturation} counts",
        f"# Threshold_setting: {energy_eV / 2:.0f} eV",
        f"# Wavelength {beam.wavelength_A:.5f} A",
        "# Energy_range (0, 0) eV",
        f"# Detector_distance {detector.distance_mm * 1e-3:.5f} m",
        "# Detector_Voffset 0.00000 m",
        f"# Beam_xy ({detector.beam_px[0]:.2f}, {detector.beam_px[1]:.2f}) pixels",
        "# Start_angle 0.0000 deg.",
        "# Angle_increment 0.0000 deg.",
        "# Detector_2theta 0.0000 deg.",
        f"# Polarization {beam.polarisation_fraction:.3f}",
        "# Phi 0.0000 deg.",
        "# Oscillation_axis X.CW +SLOW",
        "# N_oscillations 1",
    ]


def compress_byte_offset(counts: IntImage) -> bytes:
    """Differences of consecutive pixels as 1, 3 or 7 bytes, the longer ones after the escapes 0x80 and 0x8000."""
    values = counts.reshape(-1).astype(np.int64)
    change = np.diff(values, prepend=0)
    long = np.flatnonzero(np.abs(change) > 127)
    small = change.astype(np.int8)
    if not long.size:
        return small.tobytes()
    small[long] = -128
    size = np.where(np.abs(change[long]) > 32767, 7, 3)
    # Where the escape byte of each long difference lands.
    start = long + np.concatenate([[0], np.cumsum(size[:-1] - 1)])
    out = np.empty(values.size + int((size - 1).sum()), dtype=np.uint8)
    is_small = np.ones(out.size, dtype=bool)
    for width in (3, 7):
        chosen = size == width
        is_small[(start[chosen, None] + np.arange(1, width)).ravel()] = False
    out[is_small] = small.view(np.uint8)
    two, four = start[size == 3], start[size == 7]
    out[two[:, None] + np.arange(1, 3)] = _bytes_of(change[long][size == 3], "<i2")
    out[four[:, None] + np.arange(1, 3)] = _bytes_of(np.full(four.size, -32768), "<i2")
    out[four[:, None] + np.arange(3, 7)] = _bytes_of(change[long][size == 7], "<i4")
    return out.tobytes()


def _bytes_of(values: npt.NDArray[np.int64], kind: str) -> npt.NDArray[np.uint8]:
    """Bytes [n, width] of integers in the given layout."""
    width = np.dtype(kind).itemsize
    return np.frombuffer(values.astype(kind).tobytes(), dtype=np.uint8).reshape(-1, width)


def decompress_byte_offset(packed: bytes, n_pixels: int) -> npt.NDArray[np.int64]:
    """Pixels [n_pixels] of byte_offset data; slow and plain, for checks."""
    values = np.empty(n_pixels, dtype=np.int64)
    position = current = 0
    for i in range(n_pixels):
        change = int.from_bytes(packed[position : position + 1], "little", signed=True)
        position += 1
        for width, escape in ((2, -128), (4, -32768)):
            if change != escape:
                break
            change = int.from_bytes(packed[position : position + width], "little", signed=True)
            position += width
        current += change
        values[i] = current
    return values
