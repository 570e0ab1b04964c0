"""Converts a detector of dxtbx to CrystFEL's laboratory frame, and writes the geometry file.

CrystFEL's frame has z along the beam, y up and x = y x z; DIALS' frame is that of the image file, most often with the
beam along -z.  The rotation between them takes the direction of the beam to z and the normal of the plane of
polarisation, which is what CrystFEL's correction for polarisation needs to know, to y.  Both programs count pixels from
the outer corner of the first, so its centre is at 0.5, 0.5 in either.

Source: crystfel_geometry(5).

Coordinate frames and signs: docs/explanations/coordinate-frames.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from iota.engine.backend.hierarchy import levels_of
from iota.inputs.hdf5.image_map import stack_of_images
from iota.records import FrameRef

Floats = npt.NDArray[np.float64]

EV_A = 12398.419843  # energy of a photon (eV) times its wavelength (A)


class Panel(NamedTuple):
    """A panel in CrystFEL's laboratory frame, in metres."""

    name: str
    corner: Floats  # outer corner of the first pixel, `[3]`
    fast: Floats  # from one pixel to the next, `[3]`
    slow: Floats
    size: tuple[int, int]  # pixels, fast and slow
    offset: tuple[int, int]  # of its first pixel in the data of the image, fast and slow
    pixel_m: float
    gain: float

    def placing(self, camera_length_m: float) -> dict[str, str]:
        """The position in a geometry file, for a detector at a given distance."""
        corner = self.corner / self.pixel_m
        return {
            "corner_x": f"{corner[0]:.5f}",
            "corner_y": f"{corner[1]:.5f}",
            "coffset": f"{self.corner[2] - camera_length_m:.9f}",
            "fs": _direction(self.fast / self.pixel_m),
            "ss": _direction(self.slow / self.pixel_m),
        }


Place = tuple[str, tuple[int, int]]  # name of a panel, and its first pixel in the data, fast and slow


class Geometry(NamedTuple):
    """Beam and detector of one frame."""

    rotation: Floats  # from DIALS' frame to that of CrystFEL, `[3, 3]`
    wavelength_A: float
    divergence_rad: float
    panels: list[Panel]
    levels: tuple[npt.NDArray[np.int64], ...] = ()  # number of the group of each panel, from the whole to the panels

    @property
    def photon_energy_eV(self) -> float:
        """Energy of a photon."""
        return EV_A / self.wavelength_A

    @property
    def camera_length_m(self) -> float:
        """Mean z of the corners of all panels, as defined by CrystFEL."""
        return float(np.mean([panel.corner[2] for panel in self.panels]))


def geometry_of(experiment: Any, places: Sequence[Place] = ()) -> Geometry:
    """Beam and detector of an experiment, as CrystFEL sees them.

    Args:
        experiment: of DIALS.
        places: of its panels in the data, where a geometry file said them.
    """
    beam = experiment.beam
    rotation = rotation_to_crystfel(np.array(beam.get_s0()), np.array(beam.get_polarization_normal()))
    panels = [_panel(k, panel, rotation) for k, panel in enumerate(experiment.detector)]
    if len(places) == len(panels):
        panels = [p._replace(name=name, offset=offset) for p, (name, offset) in zip(panels, places, strict=True)]
    elif len({panel.offset for panel in panels}) < len(panels):  # a stack of modules, each with its own first pixel
        below = 0
        for k, panel in enumerate(panels):
            panels[k] = panel._replace(offset=(0, below))
            below += panel.size[1]
    divergence = float(np.radians(beam.get_divergence()))
    return Geometry(rotation, beam.get_wavelength(), divergence, panels, levels_of(experiment.detector))


def rotation_to_crystfel(s0: Floats, polarization_normal: Floats) -> Floats:
    """Rotation from the frame of these vectors to that of CrystFEL, `[3, 3]`."""
    z = s0 / np.linalg.norm(s0)
    across = [v - (v @ z) * z for v in (polarization_normal, np.array([0.0, 1, 0]), np.array([1.0, 0, 0]))]
    y = next(v for v in across if np.linalg.norm(v) > 0.1)  # the first may be along the beam, as when it is not known
    y = y / np.linalg.norm(y)
    return np.array([np.cross(y, z), y, z])


def _panel(number: int, panel: Any, rotation: Floats) -> Panel:
    fast_mm, slow_mm = panel.get_pixel_size()
    return Panel(
        name=f"p{number}",  # names of panels are anything in DIALS; CrystFEL reserves some
        corner=rotation @ np.array(panel.get_origin()) / 1000,
        fast=rotation @ np.array(panel.get_fast_axis()) * fast_mm / 1000,
        slow=rotation @ np.array(panel.get_slow_axis()) * slow_mm / 1000,
        size=tuple(panel.get_image_size()),
        offset=tuple(panel.get_raw_image_offset()),
        pixel_m=fast_mm / 1000,
        gain=panel.get_gain(),
    )


def detector_shift_m(geometry: Geometry, reference: Geometry) -> Floats:
    """Shift along x and y of the detector of a frame from that of the geometry file, `[2]`."""
    pairs = zip(geometry.panels, reference.panels, strict=True)
    return np.asarray(np.mean([panel.corner - other.corner for panel, other in pairs], axis=0)[:2])


def scattering_vectors(geometry: Geometry, panel: npt.NDArray[np.int64], px: Floats) -> Floats:
    """Scattering vectors (1/A) of positions on panels, `[n, 3]`.

    Args:
        geometry: beam and detector.
        panel: number of the panel of each position, `[n]`.
        px: fast and slow on the panel, `[n, 2]`.
    """
    corner, fast, slow = (
        np.array([getattr(p, what) for p in geometry.panels])[panel] for what in ("corner", "fast", "slow")
    )
    place = corner + px[:, :1] * fast + px[:, 1:2] * slow
    ray = place / np.linalg.norm(place, axis=1, keepdims=True)
    return np.asarray((ray - np.array([0, 0, 1])) / geometry.wavelength_A)


def geometry_text(geometry: Geometry, data: Sequence[str] = ()) -> str:
    """A CrystFEL geometry file.

    Args:
        geometry: beam and detector.
        data: more lines, as on where the pixels are in HDF5 files.
    """
    camera_length = geometry.camera_length_m
    alike = [_alike(panel) for panel in geometry.panels]
    common = alike[0] if all(values == alike[0] for values in alike) else {}  # a stream takes 64 kB of geometry at most
    lines = [
        f"photon_energy = {geometry.photon_energy_eV:.3f}",
        f"clen = {camera_length:.9f}",
        *(f"{name} = {value}" for name, value in common.items()),
        *data,
    ]
    for panel, own in zip(geometry.panels, alike, strict=True):
        (fs, ss), (n_fs, n_ss) = panel.offset, panel.size
        values = {
            "min_fs": fs,
            "max_fs": fs + n_fs - 1,
            "min_ss": ss,
            "max_ss": ss + n_ss - 1,
            **panel.placing(camera_length),
            **({} if common else own),
        }
        lines += ["", *(f"{panel.name}/{name} = {value}" for name, value in values.items())]
    if len(geometry.panels) > 1:
        lines += ["", *_group_lines(geometry)]
    return "\n".join(lines) + "\n"


def _group_lines(geometry: Geometry) -> list[str]:
    """Groups of panels from fine to coarse, each of groups of the next finer level, as align_detector needs them.

    A group must be defined above those that contain it, and its name must differ from that of any panel.
    """
    lines: list[str] = []
    parts = [panel.name for panel in geometry.panels]  # of the finer level
    of_panel = np.arange(len(parts))  # which of these each panel is in
    for level in range(len(geometry.levels) - 2, -1, -1):
        groups = geometry.levels[level]
        names = [f"level{level}_{group}" for group in range(int(groups.max()) + 1)] if level else ["all"]
        for group, name in enumerate(names):
            members = dict.fromkeys(of_panel[groups == group].tolist())
            lines.append(f"group_{name} = {','.join(parts[member] for member in members)}")
        parts, of_panel = names, groups
    return lines


def data_lines(first: FrameRef) -> list[str]:
    """Lines of a geometry file on where the pixels of HDF5 files are, of which ``first`` is an image."""
    if first.index is None:
        return []
    dataset = stack_of_images(first.path)
    if dataset is None:
        return ["; The location of the pixels in the files is missing here; add it before using indexamajig."]
    return [f"data = {dataset}", "dim0 = %", "dim1 = ss", "dim2 = fs"]


def _alike(panel: Panel) -> dict[str, str]:
    """Lines that are usually the same for all panels."""
    return {"res": f"{1 / panel.pixel_m:.6f}", "adu_per_photon": f"{panel.gain:g}"}


def _direction(vector: Floats) -> str:
    return " ".join(f"{value:+.8f}{axis}" for value, axis in zip(vector, "xyz", strict=True))
