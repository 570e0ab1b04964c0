"""Definition of the parameters of ``iota.export``."""

from __future__ import annotations

from iota.params.own_scope import OwnScope

EXPORT_PHIL = """
export
  .help = Export of a run to files for other programs
  .short_caption = Export
{
  format = *dials *crystfel *lists
    .type = choice(multi=True)
    .help = dials writes composite files of all lattices, for dials.scale, dials.cosym and xia2.ssx_reduce. crystfel \\
            writes a stream with its geometry and cell files, for partialator and process_hkl. lists writes lists of \\
            the images, for IOTA and for CrystFEL. Several formats are joined by +, e.g. format=dials+lists.
    .short_caption = Formats
    .expert_level = 0
  frames = None
    .type = path
    .help = List of the images to be exported. None is all images of the run.
    .short_caption = List of images
    .expert_level = 0
  lattices = *all consensus
    .type = choice
    .help = consensus excludes lattices whose Bravais type or unit cell differs from the consensus, as in iota.merge
    .short_caption = Lattices
    .expert_level = 0
  uc_tolerance = 0.02
    .type = float(value_min=0)
    .help = With lattices=consensus, lattices whose unit cell differs by more than this (relative) are excluded
    .short_caption = Unit-cell tolerance
    .expert_level = 1
  lattices_per_file = 1000
    .type = int(value_min=1)
    .help = Maximum number of lattices per composite file. A file is completed earlier if it reaches a million \\
            reflections.
    .short_caption = Lattices per file
    .expert_level = 1
  chunks = integrated *diffraction all
    .type = choice
    .help = Images written to the stream: integrated images, all hits, or also blanks, from which CrystFEL can \\
            determine the hit rate
    .short_caption = Images in the stream
    .expert_level = 1
}
"""

EXPORT = OwnScope("export", "iota.export", EXPORT_PHIL)
