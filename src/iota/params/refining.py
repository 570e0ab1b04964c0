"""Definition of the parameters of ``iota.geometry``."""

from __future__ import annotations

from iota.params.own_scope import OwnScope

GEOMETRY_PHIL = """
geometry
  .help = Refinement of the detector geometry against the indexed spots of many stills
  .short_caption = Geometry
{
  levels = 0
    .type = ints(value_min=0)
    .help = Levels of the detector hierarchy to be refined, e.g. 0,1. 0 is the detector as a whole, 1 its largest \\
            groups of panels, such as quadrants, and so on down to single panels.
    .short_caption = Levels
    .expert_level = 0
  cells = *auto known shared free
    .type = choice
    .help = known keeps the unit cell that is given, here or for the run, which determines the distance. shared \\
            refines one cell for all lattices, free one for each. auto is known if there is a given cell, otherwise \\
            shared if the cells agree within 0.3 %, otherwise free.
    .short_caption = Unit cells
    .expert_level = 0
  unit_cell = None
    .type = unit_cell
    .help = The known cell (A, degrees). None is the cell that was given for the run.
    .short_caption = Unit cell
    .expert_level = 0
  search = *auto on off
    .type = choice
    .help = Search for beam centre and distance with the spots of hits, which need not be indexed. auto does so if \
            fewer than 10 lattices, or fewer than a quarter of the hits, are lattices of the consensus.
    .short_caption = Search
    .expert_level = 0
  search_radius = 20
    .type = float(value_min=1, value_max=60)
    .help = How far the beam centre is searched for (px)
    .short_caption = Radius of the search
    .expert_level = 1
  search_distance = 5
    .type = float(value_min=0, value_max=15)
    .help = How far the distance is searched for, to either side (percent)
    .short_caption = Range of distances
    .expert_level = 1
  max_lattices = 1000
    .type = int(value_min=10)
    .help = Maximum number of lattices. If there are more, they are chosen by a digest of the names of their images.
    .short_caption = Number of lattices
    .expert_level = 1
  uc_tolerance = 0.02
    .type = float(value_min=0)
    .help = Lattices whose unit cell differs from the consensus by more than this (relative) are excluded
    .short_caption = Unit-cell tolerance
    .expert_level = 1
}
"""

GEOMETRY = OwnScope("geometry", "iota.geometry", GEOMETRY_PHIL)
