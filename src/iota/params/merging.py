"""Definition of the parameters of ``iota.merge``."""

from __future__ import annotations

from iota.params.own_scope import OwnScope

MERGING_PHIL = """
merging
  .help = Merging of the integrated stills of a run
  .short_caption = Merging
{
  engine = *dials prime xia2
    .type = choice
    .help = dials is the installed DIALS with merging for stills. prime is PRIME with the prime.phil of the run, \\
            xia2 is xia2.ssx_reduce. The latter two must be installed.
    .short_caption = Merging program
    .expert_level = 0
  frames = None
    .type = path
    .help = List of images whose lattices are merged. None is all images of the run.
    .short_caption = List of images
    .expert_level = 0
  space_group = None
    .type = space_group
    .help = Space group of the crystal. None is that of the consensus lattice, without screw axes unless they were \\
            given to the run.
    .short_caption = Space group
    .expert_level = 0
  d_min = None
    .type = float(value_min=0.1)
    .help = High-resolution limit (A). None is the median resolution of the lattices.
    .short_caption = High-resolution limit
    .expert_level = 0
  min_partiality = 0.4
    .type = float(value_min=0, value_max=1)
    .help = Reflections with a partiality below this are excluded
    .short_caption = Minimum partiality
    .expert_level = 1
  uc_tolerance = 0.02
    .type = float(value_min=0)
    .help = Lattices whose unit cell differs from the consensus by more than this (relative) are excluded
    .short_caption = Unit-cell tolerance
    .expert_level = 1
  resolve_ambiguity = True
    .type = bool
    .help = If the lattice symmetry is higher than that of the crystal, resolve the indexing ambiguity from the \\
            intensities
    .short_caption = Resolve indexing ambiguity
    .expert_level = 0
  cosym_lattices = 200
    .type = int(value_min=2)
    .help = Number of lattices, the strongest ones, for which dials.cosym resolves the indexing ambiguity from all \\
            pairs. All others are compared with the mean of these.
    .short_caption = Lattices for dials.cosym
    .expert_level = 2
  n_shells = 10
    .type = int(value_min=1)
    .help = Number of resolution shells in the table
    .short_caption = Number of resolution shells
    .expert_level = 1
  seed = 1
    .type = int(value_min=0)
    .help = Random seed for the division into half data sets for CC1/2 and Rsplit
    .short_caption = Random seed
    .expert_level = 2
}
"""

MERGING = OwnScope("merging", "iota.merge", MERGING_PHIL)
