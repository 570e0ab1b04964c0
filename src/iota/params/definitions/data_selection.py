"""Selection of the images to be processed."""

from __future__ import annotations

PHIL = """
data_selection
  .help = Selection of the images to be processed
  .short_caption = Data selection
{
  image_triage
    .help = Images with too few spots are discarded before indexing
    .short_caption = Image triage
  {
    flag_on = True
      .type = bool
      .help = Discard images with too few Bragg spots
      .short_caption = Discard blanks
      .expert_level = 0
    minimum_Bragg_peaks = 10
      .type = int(value_min=0)
      .help = Images with fewer spots than this are not indexed
      .short_caption = Minimum number of spots
      .expert_level = 0
    strong_sigma = 5.0
      .type = float(value_min=0)
      .help = Integrated reflections with I/sigma(I) above this are counted as strong
      .short_caption = I/sigma(I) of strong reflections
      .expert_level = 1
  }
  image_range
    .help = Process part of the images, by their number in the input (counted from 1, limits included)
    .short_caption = Image range
  {
    flag_on = False
      .type = bool
      .help = Process only the range given below
      .short_caption = Process a range of images
      .expert_level = 0
    range = None
      .type = str
      .help = Numbers and ranges separated by commas, e.g. 1-5,25,200-250
      .short_caption = Range
      .expert_level = 0
  }
  random_sample
    .help = Process a random subset of the images
    .short_caption = Random subset
  {
    flag_on = False
      .type = bool
      .help = Process only a random subset
      .short_caption = Process a random subset
      .expert_level = 0
    number = 0
      .type = int(value_min=0)
      .help = Size of the subset. 0: all of up to 5 images, 5 of up to 50 images, otherwise 10 %.
      .short_caption = Number of images
      .expert_level = 0
    seed = None
      .type = int(value_min=0)
      .help = The same seed selects the same images. If None, a seed is chosen and recorded in the script of the run.
      .short_caption = Random seed
      .expert_level = 1
  }
}
"""
