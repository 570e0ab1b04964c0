"""The CrystFEL geometry with which a run was processed, for its export to CrystFEL."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from iota.engine.exports.crystfel_geometry import Geometry, Place
from iota.errors import InputError, UsageError
from iota.inputs.crystfel.events import Events, events_of
from iota.inputs.crystfel.geometry import parse_geometry
from iota.inputs.hdf5.masters import open_hdf5
from iota.records import FrameRef
from iota.runs import RunFolder

_SAME_M = 1e-8  # positions of a detector that was not moved
_PLACE = re.compile(r"^(?:(?P<panel>[^/]+)/)?(?P<key>corner_x|corner_y|fs|ss|coffset|clen|detector_shift_[xy])$")


class GivenGeometry:
    """A geometry with its text. Get it from :meth:`of_run`."""

    def __init__(self, path: Path) -> None:
        self.text = path.read_text(encoding="utf-8")
        self._geometry = parse_geometry(self.text, path)
        self._last: tuple[str, Events] | None = None

    @classmethod
    def of_run(cls, run: RunFolder) -> GivenGeometry | None:
        """The geometry of a run; None if it has none, or one that can no longer be read."""
        try:
            return cls(run.crystfel_geometry)
        except (OSError, UsageError):
            return None

    @property
    def places(self) -> list[Place]:
        """Names of the panels and their first pixels in the data, fast and slow."""
        return [(panel.name, (panel.min_fs, panel.min_ss)) for panel in self._geometry.panels]

    def event(self, frame: FrameRef) -> str:
        """CrystFEL's name of an image of a file."""
        panel = self._geometry.panels[0]
        if "%" not in panel.data and panel.dims.count("%") == 1:
            return f"//{frame.index or 0}"
        try:
            if self._last is None or self._last[0] != frame.path:
                with open_hdf5(frame.path) as file:
                    self._last = frame.path, events_of(file, self._geometry)
            return str(self._last[1][frame.index or 0])
        except (OSError, InputError, IndexError):  # the file is elsewhere by now
            return f"//{frame.index or 0}"

    def text_for(self, geometry: Geometry) -> str:
        """The text of the geometry: unchanged or, if the detector was moved, with its panels moved."""
        return self.text if self._is_at(geometry) else self._moved_text(geometry)

    def _is_at(self, geometry: Geometry) -> bool:
        given = self._geometry
        clen_m, shift = given.camera_length_m, given.shift
        if clen_m is None or any(quantity is not None and quantity.value is None for quantity in shift):
            return False
        shift_m = [0.0 if quantity is None else quantity.value or 0.0 for quantity in shift]
        for panel, place in zip(given.panels, geometry.panels, strict=True):
            corner_m = np.array([*np.array(panel.corner_px) / panel.res + shift_m, clen_m + panel.coffset_m])
            edges = [np.array(v) / panel.res * n for v, n in zip((panel.fs, panel.ss), panel.size, strict=True)]
            there = [place.fast * panel.size[0], place.slow * panel.size[1]]
            off = [corner_m - place.corner, *(a - b for a, b in zip(edges, there, strict=True))]
            if np.abs(off).max() > _SAME_M:
                return False
        return True

    def _moved_text(self, geometry: Geometry) -> str:
        """The given text with new panel positions; the lines keep their order, which is significant."""
        clen_m = geometry.camera_length_m
        values = {panel.name: panel.placing(clen_m) for panel in geometry.panels}
        lines = [f"clen = {clen_m:.9f} m"]
        for line in self.text.splitlines():
            found = _PLACE.match(line.partition(";")[0].partition("=")[0].strip())
            if found is None:
                lines.append(line)
            elif found["panel"] in values:
                key = "coffset" if found["key"] == "clen" else found["key"]
                value = values[found["panel"]].pop(key, None)
                lines += [] if value is None else [f"{found['panel']}/{key} = {value}"]
        lines += [f"{name}/{key} = {value}" for name, left in values.items() for key, value in left.items()]
        return "\n".join(lines) + "\n"
