"""Parameters of ``iota.merge``, in PHIL, apart from those of a run."""

from __future__ import annotations

from iota.params.own_scope import OwnScope

MERGING_PHIL = """
merging
  .help = How integrated stills of a run become one set of intensities
{
  engine = *dials prime xia2
    .type = choice
    .help = dials is the installed DIALS with merging for stills. prime is PRIME with the prime.phil of the run, \\
            xia2 is xia2.ssx_reduce. Both have to be installed and able to run.
    .expert_level = 0
  frames = None
    .type = path
    .help = List of images. Only lattices on these are merged. None is all of the run.
    .expert_level = 0
  space_group = None
    .type = space_group
    .help = Space group of the crystal. None is that of the consensus lattice, without screw axes if none was given.
    .expert_level = 0
  d_min = None
    .type = float(value_min=0.1)
    .help = Highest resolution (A). None is what half of the lattices reach.
    .expert_level = 0
  min_partiality = 0.4
    .type = float(value_min=0, value_max=1)
    .help = Reflections that are recorded to less than this are left out
    .expert_level = 1
  uc_tolerance = 0.02
    .type = float(value_min=0)
    .help = Lattices whose cell differs by more than this (relative) from the consensus are left out
    .expert_level = 1
  resolve_ambiguity = True
    .type = bool
    .help = Where the lattice has a higher symmetry than the crystal, find the way of indexing of each lattice by its \\
            intensities
    .expert_level = 0
  cosym_lattices = 200
    .type = int(value_min=2)
    .help = Lattices whose ways of indexing dials.cosym finds from all pairs: the strongest ones. All others are \\
            compared with the mean of these.
    .expert_level = 2
  n_shells = 10
    .type = int(value_min=1)
    .help = Resolution shells of the table
    .expert_level = 1
  seed = 1
    .type = int(value_min=0)
    .help = Which frames are in which half for CC1/2 and Rsplit
    .expert_level = 2
}
"""

MERGING = OwnScope("merging", "iota.merge", MERGING_PHIL)
