"""Geometry of the detector during a run."""

from __future__ import annotations

PHIL = """
geometry
  .help = Geometry of the detector
  .short_caption = Geometry
{
  refine = *auto off
    .type = choice
    .help = auto checks distance, beam centre, tilts and panels with the first hits. If they are wrong, the geometry \\
            is searched for or refined with two thirds of these hits, and used for all images if the other third is \\
            processed better with it. A geometry that was given (advanced.reference_geometry, image_import.distance, \\
            image_import.beam_center, or geometry parameters of DIALS) is kept.
    .short_caption = Refinement
    .expert_level = 0
  levels = None
    .type = ints(value_min=0)
    .help = Levels of the detector hierarchy to be refined, e.g. 0,1. 0 is the detector as a whole, 1 its largest \\
            groups of panels, and so on down to single panels. None is the whole detector, and single panels as well \\
            if they are displaced.
    .short_caption = Levels
    .expert_level = 1
}
"""
