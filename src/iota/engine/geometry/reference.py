"""Writes a refined geometry: ``.expt`` for DIALS and IOTA, ``.geom`` for CrystFEL with the mask of bad pixels.

Coordinate frames and signs: docs/explanations/coordinate-frames.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from dials.array_family import flex
from dxtbx.model import Experiment, ExperimentList, Panel

from iota.atomic_files import atomic_file, write_atomically
from iota.engine.exports.crystfel_geometry import Geometry, data_lines, geometry_of, geometry_text
from iota.engine.exports.given_geometry import GivenGeometry
from iota.hdf5 import h5py
from iota.records import FrameRef

Bad = npt.NDArray[np.bool_]

MASK_DATASET = "/mask"


def write_expt(detector: Any, beam: Any, path: Path) -> None:
    """Write a reference geometry, an ``.expt`` file with a detector and a beam but no crystal and no image.

    ``advanced.reference_geometry`` of IOTA and ``input.reference_geometry`` of dials.stills_process read it.

    Raises:
        OSError: the file system refuses.
    """
    experiments = ExperimentList([Experiment(beam=beam, detector=detector)])
    with atomic_file(path) as part:
        experiments.as_file(str(part))


def write_geom(
    detector: Any, beam: Any, path: Path, *, given: GivenGeometry | None, first: FrameRef | None, bad: Sequence[Bad]
) -> None:
    """Write a CrystFEL geometry, and its mask beside it where pixels are bad.

    Args:
        detector: the refined one.
        beam: its beam.
        path: of the ``.geom``; the mask gets the same name with ``_mask.h5``.
        given: the geometry by which the images were read; its masks and its data are kept, and only its panels moved.
        first: an image, whose file says where pixels are; None where there is none.
        bad: bad pixels of each panel, `[slow, fast]`; empty where nothing is known of them.

    Raises:
        OSError: the file system refuses.
    """
    experiment = Experiment(beam=beam, detector=detector)
    if given is not None and len(given.places) == len(detector):
        write_atomically(path, given.text_for(geometry_of(experiment, given.places)))
        return
    geometry = geometry_of(experiment)
    lines = data_lines(first) if first is not None else []
    ranges = [trusted_counts(panel) for panel in detector]
    flags = [_flags(*trusted) for trusted in ranges]
    own = [] if len(set(ranges)) == 1 else flags
    lines += [] if own else flags[0]
    if any(panel.any() for panel in bad):
        mask = path.with_name(f"{path.stem}_mask.h5")
        write_mask(geometry, bad, mask)
        lines += [f"mask0_file = {mask.absolute()}", f"mask0_data = {MASK_DATASET}", "mask0_badbits = 0x01"]
    text = geometry_text(geometry, lines)
    for panel, said in zip(geometry.panels, own, strict=False):
        text += "".join(f"{panel.name}/{line}\n" for line in said)
    write_atomically(path, text)


def _flags(lowest: int, highest: int) -> list[str]:
    return [f"flag_lessthan = {lowest}", f"flag_morethan = {highest}", f"max_adu = {highest}"]


def trusted_counts(panel: Any) -> tuple[int, int]:
    """Lowest and highest count that DIALS trusts.

    Whether the ends of its trusted range are in it depends on the version of dxtbx, so its mask is asked.
    """
    low, high = panel.get_trusted_range()
    candidates = [math.floor(low) + k for k in range(3)] + [math.ceil(high) - k for k in range(3)]
    probe = Panel()
    probe.set_image_size((len(candidates), 1))
    probe.set_trusted_range((low, high))
    counts = flex.double([float(count) for count in candidates])
    counts.reshape(flex.grid(1, len(candidates)))
    is_trusted = list(probe.get_trusted_range_mask(counts))
    lowest = next(count for count, trusted in zip(candidates[:3], is_trusted[:3], strict=True) if trusted)
    highest = next(count for count, trusted in zip(candidates[3:], is_trusted[3:], strict=True) if trusted)
    return lowest, highest


def write_mask(geometry: Geometry, bad: Sequence[Bad], path: Path) -> None:
    """Write bad pixels as CrystFEL reads them, 1 where a pixel is bad, in the layout of the image data.

    Raises:
        OSError: the file system refuses.
    """
    n_fast, n_slow = (max(panel.offset[k] + panel.size[k] for panel in geometry.panels) for k in (0, 1))
    values = np.zeros((n_slow, n_fast), dtype=np.uint8)
    for panel, pixels in zip(geometry.panels, bad, strict=True):
        (fast, slow), (n_fs, n_ss) = panel.offset, panel.size
        values[slow : slow + n_ss, fast : fast + n_fs] = pixels
    with atomic_file(path) as part, h5py.File(part, "w") as file:
        file.create_dataset(MASK_DATASET, data=values, compression="gzip", shuffle=True)
