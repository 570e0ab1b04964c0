"""Definition of every parameter of iota.run: name, default, type, help."""

from __future__ import annotations

MASTER_PHIL = """
description = None
  .type = str
  .help = Title of the run
  .short_caption = Description
  .expert_level = 0
input = None
  .type = path
  .multiple = True
  .help = Images, folders (searched recursively), wildcards, text files with lists of paths, or multi-image masters
  .short_caption = Input
  .expert_level = 0
output = None
  .type = path
  .help = Runs are written to integration/NNN in this folder. None is the current folder.
  .short_caption = Project folder
  .expert_level = 0

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
      .help = The same seed selects the same images. None draws a seed, which is recorded in the script of the run.
      .short_caption = Random seed
      .expert_level = 1
  }
}

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
      .help = The same seed selects the same sample. None draws a seed, which is recorded in the script of the run.
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
              given several times, in which case all combinations are tried. None tries four points of the grid \
              search.
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

analysis
  .help = Analysis of the results
  .short_caption = Analysis
{
  clustering
    .help = Clustering of unit cells, to separate crystal forms and misindexed images
    .short_caption = Clustering
  {
    flag_on = False
      .type = bool
      .help = Cluster the unit cells at the end of the run
      .short_caption = Cluster unit cells
      .expert_level = 0
    threshold = None
      .type = float(value_min=0)
      .help = Maximum distance of a cell from another cell of its cluster (A^2, NCDist of Andrews and Bernstein). \
              None finds clusters as maxima of density, which resolves forms that differ by 1 %.
      .short_caption = Distance threshold
      .expert_level = 1
    n_images = None
      .type = int(value_min=1)
      .help = Number of randomly chosen images to be clustered. None is all images.
      .short_caption = Number of images
      .expert_level = 1
    limit = 5
      .type = int(value_min=1)
      .help = Clusters with fewer cells than this are not shown
      .short_caption = Minimum cluster size
      .expert_level = 1
    write_files = True
      .type = bool
      .help = For each cluster, write a list of its images, uc_cluster_N.lst, and a script for processing with its \
              unit cell and space group as the target, uc_cluster_N.phil
      .short_caption = Write cluster files
      .expert_level = 1
  }
  viz = *no_visualization integration cv_vectors
    .type = choice
    .help = Pictures of each integrated image, written to visualization/ during processing. integration shows the \
            predictions on the image, cv_vectors the shifts from predicted to observed spots.
    .short_caption = Image visualisation
    .expert_level = 0
  charts = False
    .type = bool
    .help = Plots of mosaicity for each integrated image (trumpet plots), written to visualization/
    .short_caption = Mosaicity plots
    .expert_level = 0
  summary_graphs = False
    .type = bool
    .help = Charts of the run, written to visualization/: resolution, unit cells, beam centre and, after a grid \
            search, the heat map of spot-finding settings.
    .short_caption = Summary charts
    .expert_level = 0
}

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

gui
  .help = Monitor mode and image viewer
  .short_caption = Monitoring and viewing
{
  image_viewer = *dials.image_viewer cctbx.image_viewer distl.image_viewer cxi.view
    .type = choice
    .help = Viewer proposed in the summary of a run for inspecting its images
    .short_caption = Image viewer
    .expert_level = 1
  monitor_mode = False
    .type = bool
    .help = Keep looking for new images in the inputs during processing
    .short_caption = Monitor mode
    .expert_level = 0
  monitor_mode_timeout = False
    .type = bool
    .help = End monitor mode when no new images have arrived for some time
    .short_caption = Monitor mode time-out
    .expert_level = 0
  monitor_mode_timeout_length = 0
    .type = int(value_min=0)
    .help = Time to wait for new images (s)
    .short_caption = Length of time-out
    .expert_level = 0
  monitor_mode_incomplete_after = 30
    .type = float(value_min=0)
    .help = A file that is incomplete and has not changed for this time (s) is processed as it is, and fails
    .short_caption = Wait for incomplete files
    .expert_level = 2
  monitor_mode_newest_first = False
    .type = bool
    .help = When images arrive faster than they can be processed, discard blanks first and process the newest hits \
            first
    .short_caption = Newest images first
    .expert_level = 1
}

mp
  .help = Parallel processing
  .short_caption = Parallel processing
{
  n_processors = 0
    .type = int(value_min=0)
    .help = Number of processes. 0 is three quarters of the cores, but at least one. With a batch system it is the \
            maximum for all jobs together, and 0 is four jobs. With mpi it is the number given to mpirun, minus one.
    .short_caption = Number of processes
    .expert_level = 0
  method = *multiprocessing mpi slurm lsf torq pbs sge htcondor custom
    .type = choice
    .help = multiprocessing uses the cores of this machine, mpi the processes started by mpirun. slurm, lsf, torq, \
            pbs, sge and htcondor submit jobs to that batch system, up to the number that the work requires. custom \
            submits the whole run with mp.submit_command.
    .short_caption = Method
    .expert_level = 0
  queue = None
    .type = str
    .help = Queue or partition of the batch system. None is its default.
    .short_caption = Queue
    .expert_level = 0
  walltime = None
    .type = str
    .help = Maximum duration of a job, HH:MM or HH:MM:SS. None is the default of the batch system. A job that reaches \
            its limit is replaced as long as there is work.
    .short_caption = Walltime
    .expert_level = 1
  cores = 1
    .type = int(value_min=1)
    .help = Number of processes, and of cores requested, per job of a batch system
    .short_caption = Processes per job
    .expert_level = 1
  memory = None
    .type = float(value_min=0.5)
    .help = Memory requested per job (GB). None is 4 GB for each of its processes.
    .short_caption = Memory per job
    .expert_level = 1
  extra_directives = None
    .type = str
    .multiple = True
    .help = Additional option of the batch system for the header of each job script, e.g. --account=mx. For HTCondor: \
            name = value. Can be given several times.
    .short_caption = Extra directives
    .expert_level = 2
  interface = None
    .type = str
    .help = Network interface through which jobs reach this machine, e.g. ib0. It must have the same name on the \
            nodes. None is the interface of the default route.
    .short_caption = Network interface
    .expert_level = 2
  submit_command = None
    .type = str
    .help = Command that submits the whole run as one job, with <iota_command> in place of the command of the run, \
            e.g. bsub -q mx <iota_command>. Within double quotes, e.g. after sbatch --wrap, it is passed as one \
            argument. <iota_script> is the path of a script containing it. In a file of parameters, enclose all of it \
            in single quotes.
    .short_caption = Submit command
    .expert_level = 1
  kill_command = None
    .type = str
    .help = Command that ends a job submitted with submit_command, with <job_id> in place of its number, e.g. bkill \
            <job_id>
    .short_caption = Kill command
    .expert_level = 1
  frame_timeout = 600
    .type = float(value_min=1)
    .help = Processing of an image that takes longer than this (s) is ended and recorded as timed_out, after a second \
            attempt if it was handed out together with blanks
    .short_caption = Time limit per image
    .expert_level = 1
  frame_memory = 8
    .type = float(value_min=0.5)
    .help = Processing of an image that needs more memory than this (GB), in addition to what its process already \
            holds, is ended and recorded as crashed. A process that has grown by more than 0.5 GB plus a quarter of \
            this is replaced between images.
    .short_caption = Memory limit per image
    .expert_level = 1
}
"""
