"""The definition text of every IOTA parameter; names and defaults are those that people's scripts already use."""

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
  .help = Images, folders (searched recursively), wildcards, text lists of paths, or multi-image masters
  .expert_level = 0
output = None
  .type = path
  .help = Project folder: runs are written to integration/NNN below it. None is the current folder.
  .expert_level = 0

data_selection
  .help = Which images are processed
{
  image_triage
    .help = Images without enough diffraction are thrown away before indexing
  {
    flag_on = True
      .type = bool
      .help = Discard images with too few Bragg spots
      .expert_level = 0
    minimum_Bragg_peaks = 10
      .type = int(value_min=0)
      .help = Images with fewer spots than this are not indexed
      .expert_level = 0
    strong_sigma = 5.0
      .type = float(value_min=0)
      .help = An integrated reflection counts as strong when I/sigma(I) is above this
      .expert_level = 1
  }
  image_range
    .help = Process some of the images only, by their number in the input (from 1, ends included)
  {
    flag_on = False
      .type = bool
      .help = Use the range below
      .expert_level = 0
    range = None
      .type = str
      .help = Numbers and ranges separated by commas, e.g. 1-5,25,200-250
      .expert_level = 0
  }
  random_sample
    .help = Process a random subset of the images
  {
    flag_on = False
      .type = bool
      .help = Use the random subset
      .expert_level = 0
    number = 0
      .type = int(value_min=0)
      .help = Size of the subset. 0 is all of up to 5 images, 5 of up to 50, else a tenth of them.
      .expert_level = 0
    seed = None
      .type = int(value_min=0)
      .help = The same seed chooses the same images. None draws one, and the script of the run records it
      .expert_level = 1
  }
}

image_import
  .help = Corrections to what image headers say
{
  mask = None
    .type = path
    .help = Mask written by the page of an image, by dials.generate_mask or by the mask tool of dials.image_viewer
    .expert_level = 0
  beamstop = 0
    .type = float(value_min=0)
    .help = The region around the direct beam with fewer counts per pixel than this is the shadow of the beamstop and \
            is masked. It is found from the first images of a run. 0 looks for no shadow.
    .short_caption = Shadow threshold (counts)
    .expert_level = 1
  crystfel_geometry = None
    .type = path
    .help = CrystFEL geometry (.geom) that describes HDF5 and CXI files (data, masks, panels, photon energy). \
            Images of other formats use only its detector. It can also be given among the images.
    .short_caption = CrystFEL geometry
    .expert_level = 0
  distance = 0
    .type = float(value_min=0)
    .help = Detector distance (mm). 0 keeps that of the image header. All panels are moved together.
    .expert_level = 1
  beam_center
    .help = Direct beam on the detector. 0 0 keeps that of the image header.
  {
    x = 0
      .type = float
      .help = Along the fast axis (px), on the panel hit by the direct beam, or on the first panel if it hits none
      .expert_level = 1
    y = 0
      .type = float
      .help = Along the slow axis (px), on the same panel
      .expert_level = 1
  }
  gain = None
    .type = float(value_min=0.001)
    .help = Detector gain (counts per photon). None keeps that of the image header. With a wrong gain spots are missed \
            or noise is taken for spots.
    .short_caption = Gain (counts per photon)
    .expert_level = 1
  estimate_gain = False
    .type = bool
    .help = Estimate the gain from the background of the first images of a run
    .short_caption = Estimate detector gain
    .expert_level = 1
  convert_images = False
    .type = bool
    .help = Save images, with mask and geometry as given here, as pickles in converted_pickles/NNN and process these. \
            DIALS reads other formats just as well. Only for detectors of one panel.
    .expert_level = 1
  convert_only = False
    .type = bool
    .help = Save images as pickles and stop
    .expert_level = 1
  rename_pickle = keep_file_structure *auto_filename custom_filename
    .type = choice
    .help = Names of saved images. keep_file_structure keeps names and folders, auto_filename is \
            <login>_<number of the conversion>_<#####>, and custom_filename begins with a prefix instead.
    .expert_level = 1
  rename_pickle_prefix = None
    .type = str
    .help = Prefix for custom_filename
    .expert_level = 1
  square_mode = *no_modification pad crop
    .type = choice
    .help = Save images as squares with the direct beam in the middle, with unused pixels added or outer ones cut off
    .expert_level = 1
  flip_beamXY = False
    .type = bool
    .help = Save images with x and y of the direct beam exchanged, for headers that have them so
    .short_caption = Exchange beam x and y
    .expert_level = 1
}

cctbx_xfel
  .help = Processing options
  .short_caption = Processing Options
{
  target = None
    .type = path
    .help = Target file: parameters of the backend, dials.stills_process, in PHIL
    .expert_level = 0
  target_space_group = None
    .type = space_group
    .help = Known space or point group, e.g. P43212 or P422
    .expert_level = 0
  target_unit_cell = None
    .type = unit_cell
    .help = Known unit cell: a b c (A) alpha beta gamma (degrees)
    .expert_level = 0
  use_fft3d = True
    .type = bool
    .help = Where the 1D Fourier search for the lattice fails, try the 3D one
    .expert_level = 1
  determine_sg_and_reindex = True
    .type = bool
    .help = When no space group is given, take the highest symmetry that the lattices found allow
    .expert_level = 1
  grid_search
    .help = Search the best spot-finding settings for each image: J. Appl. Cryst. (2016) 49, 1057
  {
    type = *by_backend no_grid_search brute_force smart
      .type = choice
      .help = brute_force tries all combinations, smart moves from the median as long as that is better. by_backend \
              is brute_force with advanced.processing_backend=ha14 (--ha14) and no_grid_search without.
      .expert_level = 1
    area_median = 5
      .type = int(value_min=1)
      .help = Median spot area (px). The area is the minimum number of pixels per spot.
      .expert_level = 1
    area_range = 2
      .type = int(value_min=0)
      .help = Search range either side of the median spot area (px)
      .expert_level = 1
    height_median = 4
      .type = int(value_min=1)
      .help = Median spot height. A height of 4 is the backend's own default, 6 and 3 standard deviations for \
              sigma_background and sigma_strong, and these are in proportion to the height.
      .expert_level = 1
    height_range = 2
      .type = int(value_min=0)
      .help = Search range either side of the median spot height
      .expert_level = 1
    sig_height_search = False
      .type = bool
      .help = Search signal heights, sigma_strong, apart from spot heights, sigma_background. Five times the work.
      .expert_level = 1
  }
  selection
    .help = Which result of a grid search is the best
  {
    select_by = *epv mosaicity strong
      .type = choice
      .help = Smallest Ewald proximal volume, smallest mosaicity, or most strong spots that the lattice explains
      .expert_level = 1
    prefilter
      .help = Results that are not considered
    {
      flag_on = False
        .type = bool
        .help = Use the prefilter
        .expert_level = 1
      target_pointgroup = None
        .type = space_group
        .help = Consider lattices of this point group only, e.g. P422
        .expert_level = 1
      target_unit_cell = None
        .type = unit_cell
        .help = Consider lattices near this cell only: a b c (A) alpha beta gamma (degrees)
        .expert_level = 1
      target_uc_tolerance = None
        .type = float(value_min=0)
        .help = Largest relative difference from the cell above. None is 0.05.
        .expert_level = 1
      min_reflections = None
        .type = int(value_min=0)
        .help = Minimum number of integrated reflections
        .expert_level = 1
      min_resolution = None
        .type = float(value_min=0)
        .help = Lattices must reach at least this resolution (A)
        .expert_level = 1
    }
  }
  optimise
    .help = Try settings on a random sample of the images and use those that integrate significantly more
  {
    flag_on = False
      .type = bool
      .help = Try settings before the run and use the winner, if there is one, for all images
      .expert_level = 1
    n_frames = 40
      .type = int(value_min=6)
      .help = Size of the sample. With few hits take more, since blanks say nothing about settings.
      .expert_level = 1
    seed = None
      .type = int(value_min=0)
      .help = The same seed chooses the same sample. None draws one, and the script of the run records it
      .expert_level = 2
    confidence = 0.95
      .type = float(value_min=0.5, value_max=0.999)
      .help = A winner must differ from the target with this confidence, corrected for the number of trials
      .expert_level = 2
    parameter = None
      .type = str
      .multiple = True
      .help = A parameter of the backend with values to try, such as spotfinder.filter.min_spot_size = 2 3 4. Can be \
              given several times, and all combinations are tried. None tries four points of the grid search.
      .expert_level = 1
  }
  learning
    .help = How to find the lattice of an unknown crystal. A target, cell or space group that is given always wins.
  {
    flag_on = True
      .type = bool
      .help = When enough images agree on a lattice, use it for the images that failed and for those to come
      .expert_level = 0
    try_settings_in_turn = True
      .type = bool
      .help = When indexing with the defaults fails and no cell is given, try settings for larger cells in turn
      .expert_level = 1
    min_agreement = 4
      .type = int(value_min=2)
      .help = A lattice is learnt when this many images agree on it (fewer when the run has fewer hits)
      .expert_level = 1
    max_frames = 48
      .type = int(value_min=4)
      .help = Give up learning a lattice after this many images with diffraction
      .expert_level = 1
  }
  auto_threshold = False
    .type = bool
    .help = Estimate for each image the number of counts below which no pixel belongs to a spot
    .short_caption = Estimate threshold for each image
    .expert_level = 1
  resolution_limits
    .help = Spots outside are left out when the lattice is looked for
  {
    low = None
      .type = float(value_min=0)
      .help = Lowest resolution of spots (A). None is no limit.
      .expert_level = 1
    high = None
      .type = float(value_min=0)
      .help = Highest resolution of spots (A). None is no limit.
      .expert_level = 1
  }
  significance_filter
    .help = Cut each lattice at the resolution where its reflections are no longer significant
  {
    flag_on = True
      .type = bool
      .help = Use the significance filter
      .expert_level = 0
    sigma = 1.0
      .type = float(value_min=0)
      .help = Mean I/sigma(I) of a resolution shell that still counts as significant
      .expert_level = 0
  }
  filter
    .help = Keep integrated lattices only if they fit
  {
    flag_on = False
      .type = bool
      .help = Use the filter
      .expert_level = 0
    crystal_system = None Triclinic Monoclinic Orthorhombic Tetragonal Trigonal Hexagonal Cubic
      .type = choice
      .help = Keep lattices of this crystal system only
      .expert_level = 1
    pointgroup = None
      .type = space_group
      .help = Keep lattices of this point group only, e.g. P422
      .expert_level = 0
    unit_cell = None
      .type = unit_cell
      .help = Keep lattices near this cell only: a b c (A) alpha beta gamma (degrees)
      .expert_level = 0
    uc_tolerance = 0.05
      .type = float(value_min=0)
      .help = Largest relative difference from the cell above, for each length and each angle
      .expert_level = 0
    min_reflections = None
      .type = int(value_min=0)
      .help = Minimum number of integrated reflections
      .expert_level = 0
    min_resolution = None
      .type = float(value_min=0)
      .help = Lattices must reach at least this resolution (A)
      .expert_level = 0
  }
}

analysis
  .help = Analysis of the results
  .short_caption = Analysis Options
{
  clustering
    .help = Cluster unit cells, to separate crystal forms and misindexed images
    .short_caption = Clustering
  {
    flag_on = False
      .type = bool
      .help = Cluster the unit cells when the run ends
      .expert_level = 0
    threshold = None
      .type = float(value_min=0)
      .help = Cells nearer than this to one of a cluster belong to it (A^2, as NCDist of Andrews and Bernstein). None \
              finds clusters by the peaks of their density, which resolves forms that differ by 1 %.
      .expert_level = 1
    n_images = None
      .type = int(value_min=1)
      .help = Number of images, chosen at random, whose cells are clustered. None is all of them.
      .expert_level = 1
    limit = 5
      .type = int(value_min=1)
      .help = Clusters with fewer cells than this are not shown
      .expert_level = 1
    write_files = True
      .type = bool
      .help = Write a list of the images of each cluster, uc_cluster_N.lst, and a script that makes the cluster the \
              target of a run, uc_cluster_N.phil
      .expert_level = 1
  }
  viz = *no_visualization integration cv_vectors
    .type = choice
    .help = Pictures of each integrated image in visualization/, made while it is processed. integration is \
            predictions over the image, cv_vectors the shifts from predicted to observed spots.
    .short_caption = Visualization
    .expert_level = 0
  charts = False
    .type = bool
    .help = Plots of mosaicity for each integrated image (trumpet plots) in visualization/
    .short_caption = Output integration charts
    .expert_level = 0
  summary_graphs = False
    .type = bool
    .help = Charts of the run in visualization/. These are resolution, unit cells, beam centre, and for a grid search \
            the heat map of spot-finding settings.
    .short_caption = Output summary charts
    .expert_level = 0
}

advanced
  .help = Advanced options
{
  processing_backend = *cctbx_xfel ha14
    .type = choice
    .help = cctbx_xfel is dials.stills_process. ha14 is the same with a search for the best spot-finding settings \
            of each image, for which the backend of that name is remembered.
    .expert_level = 1
  prime_prefix = prime
    .type = str
    .help = Name of the script for PRIME in the run folder, without its ending
    .expert_level = 0
  temporary_output_folder = None
    .type = path
    .help = Fast local folder for temporary files, which are moved into the run folder when they are complete. \
            None is the folder tmp in the run folder.
    .expert_level = 1
  reference_geometry = None
    .type = path
    .help = Detector geometry from this .expt file, image or CrystFEL geometry (.geom), instead of the image headers
    .expert_level = 1
  acceleration = *on off
    .type = choice
    .help = on finds the same spots and as many true lattices in a tenth of the time. off gives the numbers of \
            dials.stills_process, digit for digit
    .expert_level = 1
}

gui
  .help = How a run is watched and shown
{
  image_viewer = *dials.image_viewer cctbx.image_viewer distl.image_viewer cxi.view
    .type = choice
    .help = Viewer that the summary of a run names for looking at its images
    .expert_level = 1
  monitor_mode = False
    .type = bool
    .help = Keep looking for new images in the inputs while processing goes on
    .expert_level = 0
  monitor_mode_timeout = False
    .type = bool
    .help = End monitor mode when no new image came for some time
    .expert_level = 0
  monitor_mode_timeout_length = 0
    .type = int(value_min=0)
    .help = How long to wait for a new image (s)
    .expert_level = 0
  monitor_mode_incomplete_after = 30
    .type = float(value_min=0)
    .help = A file that is still incomplete after so long without a change (s) is processed all the same and fails
    .expert_level = 2
  monitor_mode_newest_first = False
    .type = bool
    .help = When more images arrive than can be processed, throw away blanks first and process the newest hits first
    .expert_level = 1
}

mp
  .help = Parallel processing
{
  n_processors = 0
    .type = int(value_min=0)
    .help = Number of processes. 0 is three quarters of the cores and at least one. With a batch system it is the \
            maximum for all jobs together, and 0 is four jobs. With mpi it is the number given to mpirun, minus one.
    .expert_level = 0
  method = *multiprocessing mpi slurm lsf torq pbs sge htcondor custom
    .type = choice
    .help = Where the processes are: multiprocessing uses the cores of this machine, mpi those that mpirun starts. \
            slurm, lsf, torq, pbs, sge and htcondor submit jobs to that batch system, as many as there is work for. \
            custom submits the whole run with mp.submit_command.
    .expert_level = 0
  queue = None
    .type = str
    .help = Queue or partition of the batch system. None is the default one.
    .expert_level = 0
  walltime = None
    .type = str
    .help = Longest time that a job may take, HH:MM or HH:MM:SS. None leaves it to the batch system. \
            A job that comes to its end is replaced while there is work.
    .expert_level = 1
  cores = 1
    .type = int(value_min=1)
    .help = Processes in each job of a batch system, which asks for as many cores
    .expert_level = 1
  memory = None
    .type = float(value_min=0.5)
    .help = Memory that each job asks for (GB). None is 4 GB for each of its processes.
    .expert_level = 1
  extra_directives = None
    .type = str
    .multiple = True
    .help = One more option of the batch system for the head of each job script, such as --account=mx. \
            For HTCondor name = value. Can be given several times.
    .expert_level = 2
  interface = None
    .type = str
    .help = Network interface through which jobs reach this machine, such as ib0. It must have this name on the nodes, \
            too. None is the interface of the default route.
    .expert_level = 2
  submit_command = None
    .type = str
    .help = Command that submits the whole run as one job, with <iota_command> where the command of the run belongs, \
            such as: bsub -q mx <iota_command>. With quotes around it, as in sbatch --wrap "<iota_command>", it is one \
            argument. <iota_script> is the path of a script that holds it. In a file write single quotes around all.
    .expert_level = 1
  kill_command = None
    .type = str
    .help = Command that ends a job that was submitted with submit_command, with <job_id> where its number belongs, \
            such as: bkill <job_id>
    .expert_level = 1
  frame_timeout = 600
    .type = float(value_min=1)
    .help = An image that takes longer than this (s) is ended and recorded as timed_out, after a second try \
            where it was handed out among blanks
    .expert_level = 1
  frame_memory = 8
    .type = float(value_min=0.5)
    .help = An image that needs more memory than this (GB), in addition to what its process already holds, is ended \
            and recorded as crashed. A process that has grown by more than 0.5 GB plus a quarter of this is replaced \
            between images.
    .expert_level = 1
}
"""
