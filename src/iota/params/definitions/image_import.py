"""Corrections to image headers, masks, and conversion to pickles."""

from __future__ import annotations

PHIL = """
image_import
  .help = Corrections to the image headers
  .short_caption = Image import
{
  mask = None
    .type = path
    .help = Mask from the image page, from dials.generate_mask or from the mask tool of dials.image_viewer
    .short_caption = Mask
    .expert_level = 0
  beamstop = 0
    .type = float(value_min=0)
    .help = Pixels around the direct beam with fewer counts than this are regarded as the shadow of the beamstop and \
            masked (counts). The shadow is determined from the first images of a run. 0 disables the search.
    .short_caption = Shadow threshold
    .expert_level = 1
  crystfel_geometry = None
    .type = path
    .help = CrystFEL geometry (.geom) describing HDF5 and CXI files (data, masks, panels, photon energy). For images \
            of other formats only its detector is used. It can also be given among the images.
    .short_caption = CrystFEL geometry
    .expert_level = 0
  distance = 0
    .type = float(value_min=0)
    .help = Detector distance (mm). 0 keeps the distance in the image header. All panels are moved together.
    .short_caption = Detector distance
    .expert_level = 1
  beam_center
    .help = Position of the direct beam on the detector. 0 0 keeps the position in the image header.
    .short_caption = Beam centre
  {
    x = 0
      .type = float
      .help = Along the fast axis (px), on the panel hit by the direct beam, or on the first panel if it hits none
      .short_caption = Beam centre x
      .expert_level = 1
    y = 0
      .type = float
      .help = Along the slow axis (px), on the same panel
      .short_caption = Beam centre y
      .expert_level = 1
  }
  gain = None
    .type = float(value_min=0.001)
    .help = Detector gain (counts per photon). None keeps the gain in the image header. With a wrong gain, spots are \
            missed or noise is mistaken for spots.
    .short_caption = Detector gain
    .expert_level = 1
  estimate_gain = False
    .type = bool
    .help = Estimate the gain from the background of the first images of a run
    .short_caption = Estimate detector gain
    .expert_level = 1
  convert_images = False
    .type = bool
    .help = Save images, with the mask and geometry given here, as pickles in converted_pickles/NNN and process \
            these. Not needed for DIALS, which reads other formats equally well. Single-panel detectors only.
    .short_caption = Convert to pickles
    .expert_level = 1
  convert_only = False
    .type = bool
    .help = Save images as pickles without processing them
    .short_caption = Convert only
    .expert_level = 1
  rename_pickle = keep_file_structure *auto_filename custom_filename
    .type = choice
    .help = Names of the pickles. keep_file_structure keeps names and folders, auto_filename is <login>_<number of \
            the conversion>_<#####>, and custom_filename starts with a prefix instead.
    .short_caption = Names of pickles
    .expert_level = 1
  rename_pickle_prefix = None
    .type = str
    .help = Prefix for custom_filename
    .short_caption = Custom prefix
    .expert_level = 1
  square_mode = *no_modification pad crop
    .type = choice
    .help = Save square images centred on the direct beam, padded with unused pixels or cropped
    .short_caption = Square images
    .expert_level = 1
  flip_beamXY = False
    .type = bool
    .help = Swap x and y of the direct beam in the saved images, for headers in which they are interchanged
    .short_caption = Swap beam x and y
    .expert_level = 1
}
"""
