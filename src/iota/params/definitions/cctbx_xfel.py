"""Target and known crystal, indexing, grid search, lattice determination and filters."""

from __future__ import annotations

PHIL = """
cctbx_xfel
  .help = Crystal, indexing, integration and filters
  .short_caption = Processing
{
  target = None
    .type = path
    .help = PHIL file with parameters of the backend, dials.stills_process
    .short_caption = Target file
    .expert_level = 0
  target_space_group = None
    .type = space_group
    .help = Known space or point group, e.g. P43212 or P422
    .short_caption = Target space group
    .expert_level = 0
  target_unit_cell = None
    .type = unit_cell
    .help = Known unit cell: a b c (A) alpha beta gamma (degrees)
    .short_caption = Target unit cell
    .expert_level = 0
  use_fft3d = True
    .type = bool
    .help = If indexing with the fft1d algorithm fails, try the fft3d algorithm
    .short_caption = 3D FFT indexing
    .expert_level = 1
  determine_sg_and_reindex = True
    .type = bool
    .help = If no space group is given, use the highest symmetry compatible with the lattices found
    .short_caption = Determine symmetry and reindex
    .expert_level = 1
  grid_search
    .help = Search for the best spot-finding settings for each image: J. Appl. Cryst. (2016) 49, 1057
    .short_caption = Grid search
  {
    type = *by_backend no_grid_search brute_force smart
      .type = choice
      .help = brute_force tries all combinations, smart moves away from the median as long as results improve. \
              by_backend is brute_force with advanced.processing_backend=ha14 (--ha14) and no_grid_search otherwise.
      .short_caption = Type of search
      .expert_level = 1
    area_median = 5
      .type = int(value_min=1)
      .help = Median of the spot areas that are tried (px). The area is the minimum number of pixels per spot.
      .short_caption = Median spot area
      .expert_level = 1
    area_range = 2
      .type = int(value_min=0)
      .help = Search range either side of the median spot area (px)
      .short_caption = Range of spot area
      .expert_level = 1
    height_median = 4
      .type = int(value_min=1)
      .help = Median of the spot heights that are tried. A height of 4 is the default of the backend, \
              sigma_background = 6 and sigma_strong = 3, both of which are proportional to the height.
      .short_caption = Median spot height
      .expert_level = 1
    height_range = 2
      .type = int(value_min=0)
      .help = Search range either side of the median spot height
      .short_caption = Range of spot height
      .expert_level = 1
    sig_height_search = False
      .type = bool
      .help = Vary the signal height, sigma_strong, independently of the spot height, sigma_background. Takes five \
              times as long.
      .short_caption = Search signal height
      .expert_level = 1
  }
  selection
    .help = Selection of the best result of a grid search
    .short_caption = Selection of the best result
  {
    select_by = *epv mosaicity strong
      .type = choice
      .help = Smallest Ewald proximal volume, smallest mosaicity, or most strong spots explained by the lattice
      .short_caption = Select by
      .expert_level = 1
    prefilter
      .help = Results that do not meet these criteria are not considered
      .short_caption = Prefilter
    {
      flag_on = False
        .type = bool
        .help = Use the prefilter
        .short_caption = Use prefilter
        .expert_level = 1
      target_pointgroup = None
        .type = space_group
        .help = Consider only lattices of this point group, e.g. P422
        .short_caption = Point group
        .expert_level = 1
      target_unit_cell = None
        .type = unit_cell
        .help = Consider only lattices with a unit cell near this one: a b c (A) alpha beta gamma (degrees)
        .short_caption = Unit cell
        .expert_level = 1
      target_uc_tolerance = None
        .type = float(value_min=0)
        .help = Maximum relative difference from the unit cell above. None is 0.05.
        .short_caption = Unit-cell tolerance
        .expert_level = 1
      min_reflections = None
        .type = int(value_min=0)
        .help = Minimum number of integrated reflections
        .short_caption = Minimum number of reflections
        .expert_level = 1
      min_resolution = None
        .type = float(value_min=0)
        .help = Resolution that lattices must reach (A)
        .short_caption = Minimum resolution
        .expert_level = 1
    }
  }
  optimise
    .help = Try settings on a random sample of the images and use those with which significantly more images are \
            integrated
    .short_caption = Optimisation of settings
  {
    flag_on = False
      .type = bool
      .help = Try settings before the run. If one is significantly better, it is used for all images.
      .short_caption = Optimise settings before the run
      .expert_level = 1
    n_frames = 40
      .type = int(value_min=6)
      .help = Number of images in the sample. Use more if the hit rate is low, since blanks contain no information \
              about settings.
      .short_caption = Sample size
      .expert_level = 1
    seed = None
      .type = int(value_min=0)
      .help = The same seed selects the same sample. If None, a seed is chosen and recorded in the script of the run.
      .short_caption = Random seed
      .expert_level = 2
    confidence = 0.95
      .type = float(value_min=0.5, value_max=0.999)
      .help = Settings are accepted if they differ from the target at this confidence level, corrected for the number \
              of trials
      .short_caption = Confidence level
      .expert_level = 2
    parameter = None
      .type = str
      .multiple = True
      .help = Parameter of the backend with the values to try, e.g. spotfinder.filter.min_spot_size = 2 3 4. Can be \
              given several times, in which case all combinations are tried. If None, four points of the grid search \
              are tried.
      .short_caption = Parameter to vary
      .expert_level = 1
  }
  learning
    .help = Determination of the lattice of an unknown crystal. A target, unit cell or space group that is given \
            always takes precedence.
    .short_caption = Lattice determination
  {
    flag_on = True
      .type = bool
      .help = When enough images agree on a lattice, use it for all further images and for those that failed
      .short_caption = Determine unknown lattices
      .expert_level = 0
    try_settings_in_turn = True
      .type = bool
      .help = If indexing with the defaults fails and no unit cell is given, try settings for larger cells in turn
      .short_caption = Try other settings in turn
      .expert_level = 1
    min_agreement = 4
      .type = int(value_min=2)
      .help = A lattice is accepted when this many images agree on it (fewer if the run has fewer hits)
      .short_caption = Minimum number of consistent images
      .expert_level = 1
    max_frames = 48
      .type = int(value_min=4)
      .help = The search for a lattice is abandoned after this many hits
      .short_caption = Maximum number of images
      .expert_level = 1
  }
  auto_threshold = False
    .type = bool
    .help = Estimate, for each image, the number of counts below which a pixel cannot belong to a spot
    .short_caption = Estimate threshold for each image
    .expert_level = 1
  resolution_limits
    .help = Spots outside these limits are not used for indexing
    .short_caption = Resolution limits of spots
  {
    low = None
      .type = float(value_min=0)
      .help = Low-resolution limit of spots (A). None is no limit.
      .short_caption = Low-resolution limit
      .expert_level = 1
    high = None
      .type = float(value_min=0)
      .help = High-resolution limit of spots (A). None is no limit.
      .short_caption = High-resolution limit
      .expert_level = 1
  }
  significance_filter
    .help = Cut each lattice at the resolution beyond which its reflections are not significant
    .short_caption = Significance filter
  {
    flag_on = True
      .type = bool
      .help = Use the significance filter
      .short_caption = Use significance filter
      .expert_level = 0
    sigma = 1.0
      .type = float(value_min=0)
      .help = Minimum mean I/sigma(I) of a significant resolution shell
      .short_caption = I/sigma(I) cutoff
      .expert_level = 0
  }
  filter
    .help = Integrated lattices that do not meet these criteria are rejected
    .short_caption = Filter
  {
    flag_on = False
      .type = bool
      .help = Use the filter
      .short_caption = Use filter
      .expert_level = 0
    crystal_system = None Triclinic Monoclinic Orthorhombic Tetragonal Trigonal Hexagonal Cubic
      .type = choice
      .help = Keep only lattices of this crystal system
      .short_caption = Crystal system
      .expert_level = 1
    pointgroup = None
      .type = space_group
      .help = Keep only lattices of this point group, e.g. P422
      .short_caption = Point group
      .expert_level = 0
    unit_cell = None
      .type = unit_cell
      .help = Keep only lattices with a unit cell near this one: a b c (A) alpha beta gamma (degrees)
      .short_caption = Unit cell
      .expert_level = 0
    uc_tolerance = 0.05
      .type = float(value_min=0)
      .help = Maximum relative difference from the unit cell above, for each length and each angle
      .short_caption = Unit-cell tolerance
      .expert_level = 0
    min_reflections = None
      .type = int(value_min=0)
      .help = Minimum number of integrated reflections
      .short_caption = Minimum number of reflections
      .expert_level = 0
    min_resolution = None
      .type = float(value_min=0)
      .help = Resolution that lattices must reach (A)
      .short_caption = Minimum resolution
      .expert_level = 0
  }
}
"""
