"""Parameters of ``iota.export``, in PHIL, apart from those of a run."""

from __future__ import annotations

from iota.params.own_scope import OwnScope

EXPORT_PHIL = """
export
  .help = Hand-over files of a run for programs of others
{
  format = *dials *crystfel *lists
    .type = choice(multi=True)
    .help = dials are composite files of all lattices, for dials.scale, dials.cosym and xia2.ssx_reduce. crystfel \\
            is a stream with its geometry and cell files, for partialator and process_hkl. lists are lists of the \\
            images, for IOTA and for CrystFEL. Several are joined by +, as format=dials+lists.
    .expert_level = 0
  frames = None
    .type = path
    .help = List of images. Only these are written. None is all of the run.
    .expert_level = 0
  lattices = *all consensus
    .type = choice
    .help = consensus leaves out lattices whose Bravais type or cell is not that of the consensus, as iota.merge does
    .expert_level = 0
  uc_tolerance = 0.02
    .type = float(value_min=0)
    .help = With lattices=consensus, those whose cell differs by more than this (relative) are left out
    .expert_level = 1
  lattices_per_file = 1000
    .type = int(value_min=1)
    .help = Most lattices in one composite file. A file is ended sooner when it has a million reflections.
    .expert_level = 1
  chunks = integrated *diffraction all
    .type = choice
    .help = Images in the stream: integrated ones, those with diffraction, or blanks, too, so that CrystFEL can count \\
            the hit rate
    .expert_level = 1
}
"""

EXPORT = OwnScope("export", "iota.export", EXPORT_PHIL)
