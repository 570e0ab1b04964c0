"""Writes the true geometry of a simulated detector as a CrystFEL geometry, a file that many programs read.

Coordinate frames and signs: docs/explanations/coordinate-frames.md.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from iota.simulate.detector import Detector, Panel

TO_CRYSTFEL = np.array([-1.0, 1.0, -1.0])  # from the laboratory of the simulator, which is that of dxtbx
HC_EV_A = 12398.4198
DECIMALS = 12


def geometry_text(detector: Detector, wavelength_A: float, hdf5_data: str | None = None) -> str:
    """The whole file; ``hdf5_data`` is where HDF5 files have the stacked panels, None: other files."""
    lines = [
        "; True geometry, written by iota.simulate",
        f"photon_energy = {HC_EV_A / wavelength_A:.4f} eV",
        "adu_per_photon = 1",
        f"clen = {detector.distance_mm / 1000:.{DECIMALS}f} m",
        f"res = {1000 / detector.panels[0].pixel_mm:.9f}",
    ]
    if hdf5_data is not None:
        lines += [f"data = {hdf5_data}", "dim0 = %", "dim1 = ss", "dim2 = fs"]
    for panel in detector.panels:
        lines += ["", *panel_lines(panel, detector.distance_mm)]
    return "\n".join([*lines, "", *group_lines(detector.panels)]) + "\n"


def panel_lines(panel: Panel, distance_mm: float, name: str | None = None, first_row: int | None = None) -> list[str]:
    """Where a panel is in the array and in space; ``name`` and ``first_row`` replace those of the panel."""
    row = panel.row0 if first_row is None else first_row
    corner, fast, slow = (np.asarray(v) * TO_CRYSTFEL for v in (panel.origin_mm, panel.fast, panel.slow))
    values = {
        "min_fs": 0,
        "max_fs": panel.size_px[0] - 1,
        "min_ss": row,
        "max_ss": row + panel.size_px[1] - 1,
        "corner_x": f"{corner[0] / panel.pixel_mm:.9f}",
        "corner_y": f"{corner[1] / panel.pixel_mm:.9f}",
        "coffset": f"{(corner[2] - distance_mm) / 1000:.{DECIMALS}f}",
        "fs": _direction(fast),
        "ss": _direction(slow),
    }
    return [f"{name or panel.name}/{key} = {value}" for key, value in values.items()]


def group_lines(panels: Sequence[Panel]) -> list[str]:
    """Groups of panels, from small to large, and collections of groups of one level."""
    lines = []
    depth = max(len(panel.groups) for panel in panels)
    for level in reversed(range(depth)):
        names = dict.fromkeys(panel.groups[level] for panel in panels)
        for name in names:
            members = ",".join(panel.name for panel in panels if panel.groups[level] == name)
            lines.append(f"rigid_group_{name} = {members}")
        lines.append(f"rigid_group_collection_level_{level + 1} = {','.join(names)}")
    return [*lines, f"rigid_group_all = {','.join(panel.name for panel in panels)}"]


def _direction(vector: npt.NDArray[np.float64]) -> str:
    return " ".join(f"{value:+.{DECIMALS}f}{axis}" for value, axis in zip(vector, "xyz", strict=True))
