"""Advanced options."""

from __future__ import annotations

PHIL = """
advanced
  .help = Advanced options
  .short_caption = Advanced
{
  processing_backend = *cctbx_xfel ha14
    .type = choice
    .help = cctbx_xfel is dials.stills_process. ha14 adds a search for the best spot-finding settings for each image, \
            as in the backend of that name.
    .short_caption = Processing backend
    .expert_level = 1
  prime_prefix = prime
    .type = str
    .help = Name, without extension, of the script for PRIME in the run folder
    .short_caption = Name of PRIME script
    .expert_level = 0
  temporary_output_folder = None
    .type = path
    .help = Fast local folder for temporary files, which are moved to the run folder when complete. None is the \
            folder tmp in the run folder.
    .short_caption = Temporary folder
    .expert_level = 1
  reference_geometry = None
    .type = path
    .help = Take the detector geometry from this .expt file, image or CrystFEL geometry (.geom) instead of the image \
            headers
    .short_caption = Reference geometry
    .expert_level = 1
  acceleration = *on off
    .type = choice
    .help = on finds the same spots and as many true lattices in a tenth of the time. off gives the same numbers as \
            dials.stills_process, digit for digit.
    .short_caption = Acceleration
    .expert_level = 1
}
"""
