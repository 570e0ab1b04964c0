"""CXI files and CrystFEL geometries of simulated detectors, laid out as Cheetah and EXtra-data lay them out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np

from iota.simulate.crystfel_geom import panel_lines
from iota.simulate.detector import Detector

DATA = "/entry_1/data_1/data"
MASK = "/entry_1/data_1/mask"
ENERGY = "/LCLS/photon_energy_eV"


def geometry_text(detector: Detector, layout: str, *more: str, energy: str = f"{ENERGY} eV") -> str:
    """Geometry of a detector.

    Args:
        detector: of the simulator.
        layout: ``slab`` (panels stacked in one array an event) or ``modules`` (an axis for the panels).
        more: lines that are added at the end.
        energy: of the photons.
    """
    lines = [
        f"photon_energy = {energy}  ; of each event",
        f"clen = {detector.distance_mm} mm",
        f"res = {1000 / detector.panels[0].pixel_mm:.9f}",
        "adu_per_photon = 1",
        f"data = {DATA}",
        f"mask = {MASK}",
        "mask_good = 0x0",
        "mask_bad = 0xffff",
        "dim0 = %",
        *(["dim1 = ss", "dim2 = fs"] if layout == "slab" else ["dim2 = ss", "dim3 = fs"]),
    ]
    for number, panel in enumerate(detector.panels):
        first = panel.row0 if layout == "slab" else 0
        here = [] if layout == "slab" else [f"q{number}/dim1 = {number}"]
        lines += ["", *here, *panel_lines(panel, detector.distance_mm, f"q{number}", first)]
    panels = ",".join(f"q{number}" for number in range(len(detector.panels)))
    return "\n".join([*lines, "", *more, f"rigid_group_all = {panels}"]) + "\n"


def write_cxi(path: Path, pixels: np.ndarray, layout: str, n_panels: int, energies: Sequence[float], mask: np.ndarray):
    """Write events `[n, slow, fast]` with their mask, which is not 0 where a pixel is bad."""
    n, rows, columns = pixels.shape
    shape = (n, rows, columns) if layout == "slab" else (n, n_panels, rows // n_panels, columns)
    with h5py.File(path, "w") as file:
        file["cxi_version"] = 140
        chunks = (1, *shape[1:])
        words = {"chunks": chunks, "compression": "gzip", "compression_opts": 1}
        file.create_dataset(DATA, data=pixels.reshape(shape), **words)
        file.create_dataset(MASK, data=np.broadcast_to(mask, pixels.shape).reshape(shape).astype("u2"), **words)
        file[ENERGY] = np.asarray(energies)
