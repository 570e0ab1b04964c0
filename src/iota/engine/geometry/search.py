"""Searches for beam centre and distance with the spots of hits of a run, in a separate process."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from iota.engine.geometry.detector import panels_of, with_panels
from iota.engine.geometry.hit_spots import hit_spots
from iota.engine.geometry.reference import write_expt
from iota.engine.images.detector_moves import distance_mm
from iota.engine.questions import FoundGeometry, SearchGeometry
from iota.engine.stills.lattice import beam_centre
from iota.errors import RunFolderError
from iota.geometry.search import search
from iota.processes.protocol import Tell


def search_geometry(asked: SearchGeometry, tell: Tell) -> FoundGeometry:
    """Search for beam centre and distance, and write a reference geometry if they are others.

    Raises:
        UsageError: none of the frames has spots.
        ParameterError: no crystal can have the given cell.
        BackendError: a file that the parameters name cannot be used.
        RunFolderError: the reference geometry cannot be written.
    """
    placed = hit_spots(asked.frames, asked.target, tell)
    detector, beam = placed.detector, placed.beam
    result = search(
        placed.hits,
        np.array(beam.get_unit_s0()),
        distance_mm(detector, beam),
        detector[0].get_pixel_size()[0],
        asked.known_cell,
        asked.space_group,
        asked.radius_px,
        asked.distance_range,
    )
    panels = panels_of(detector)
    moved = with_panels(detector, replace(panels, origin_mm=panels.origin_mm + np.array(result.move_mm)))
    if result.changed:
        try:
            write_expt(moved, beam, Path(asked.output))
        except OSError as error:
            raise RunFolderError(f"{asked.output} cannot be written: {error.strerror or error}.") from error
    return FoundGeometry(
        found=result.found,
        changed=result.changed,
        sentence=result.sentence,
        method=result.method,
        n_frames=len(asked.frames),
        n_hits=result.n_hits,
        n_indexed=result.n_indexed,
        ratio=result.ratio,
        shift_px=result.shift_px,
        shift_esd_px=result.shift_esd_px if result.found else None,
        distance_factor=result.distance_factor,
        distance_esd=result.distance_esd,
        move_mm=result.move_mm,
        distance_before_mm=distance_mm(detector, beam),
        distance_after_mm=distance_mm(moved, beam),
        beam_centre_before_px=beam_centre(detector, beam)[1],
        beam_centre_after_px=beam_centre(moved, beam)[1],
        left_out=placed.left_out,
    )
