"""All causes: code, outcome, sentence and what to try, in one table.

Codes are stored in ledgers and never change; the values have the names in the sentence, with units. To add a cause,
add a line here and raise it with :func:`iota.causes.why`; then run ``scripts/reference``.
"""

from __future__ import annotations

from iota.causes import advice
from iota.causes.failure_cause import FailureCause


class Cause(FailureCause):
    """Why a frame failed: a code, which the reference of outcomes lists with its sentence."""

    OTHER = "other", "failed_import", "{text}", None, ("text",)  # in words that we did not make

    # -- import: the file
    NO_FILE = "no_file", "failed_import", "There is no such file.", advice.MOVED
    NOT_A_FILE = "not_a_file", "failed_import", "This is not a file."
    FILE_EMPTY = "file_empty", "failed_import", "The file is empty.", advice.COMPARE_WITH_ORIGINAL
    DEAD_LINK = "dead_link", "failed_import", "The file is a link to {target}, which does not exist.", advice.MOVED
    NO_PERMISSION = (
        "no_permission",
        "failed_import",
        "The file may not be read; check its permissions.",
        advice.PERMISSION,
    )
    FILE_ERROR = "file_error", "failed_import", "The file cannot be read: {error}.", None, ("error",)
    PIXELS_DAMAGED = (
        "pixels_damaged",
        "failed_import",
        "The file is damaged or cut short: its pixels cannot be read.",
        advice.COMPARE_WITH_ORIGINAL,
    )
    HDF5_DAMAGED = (
        "hdf5_damaged",
        "failed_import",
        "The file is damaged or cut short: HDF5 cannot open it.",
        advice.COMPARE_WITH_ORIGINAL,
    )
    PACKED_DAMAGED = (
        "packed_damaged",
        "failed_import",
        "The file is damaged or cut short: it cannot be decompressed ({ending}).",
        advice.COMPARE_WITH_ORIGINAL,
    )
    NOT_HDF5 = "not_hdf5", "failed_import", "The file is not HDF5, despite its name.", advice.NOT_AN_IMAGE
    NOT_HDF5_OR_DAMAGED = (
        "not_hdf5_or_damaged",
        "failed_import",
        "The file is not HDF5, or damaged at its beginning.",
        advice.COMPARE_WITH_ORIGINAL,
    )
    NOT_RECOGNISED = (
        "not_recognised",
        "failed_import",
        "DIALS does not recognise this file as a diffraction image.",
        advice.NOT_AN_IMAGE,
    )
    OTHER_FORMAT = "other_format", "failed_import", "This is {format}: {way}.", None, ("format", "way")
    IS_DATA_FILE = (
        "is_data_file",
        "failed_import",
        "This is a data file of {master}; use that file instead.",
        advice.DATA_FILES,
    )
    PICKLE_NOT_OPENED = (
        "pickle_not_opened",
        "failed_import",
        "The image is a pickle that contains more than numbers ({content}); it is not opened.",
    )
    PICKLE_DAMAGED = (
        "pickle_damaged",
        "failed_import",
        "The image is a damaged pickle.",
        advice.COMPARE_WITH_ORIGINAL,
    )
    NO_SUCH_IMAGE = "no_such_image", "failed_import", "The file contains only {n_images:* image|* images}."
    TOO_MANY_IMAGES = "too_many_images", "failed_import", "The file is not opened: {text}"
    IMPORT_STOPPED = "import_stopped", "failed_import", "The image could not be imported. {see}"
    HEADER_NOT_UNDERSTOOD = (
        "header_not_understood",
        "failed_import",
        "The header of the image could not be understood. {see}",
    )
    PIXELS_NOT_READ = "pixels_not_read", "failed_import", "The pixels of the image could not be read. {see}"

    # -- import: data files and datasets of HDF5 masters
    NO_DATA_FILE = "no_data_file", "failed_import", "The data file {file} is missing.", advice.DATA_FILES
    DATA_FILE_NOT_A_FILE = (
        "data_file_not_a_file",
        "failed_import",
        "The data file {file} is not a file.",
        advice.DATA_FILES,
    )
    DATA_FILE_EMPTY = "data_file_empty", "failed_import", "The data file {file} is empty.", advice.DATA_FILES
    DATA_FILE_NOT_HDF5 = (
        "data_file_not_hdf5",
        "failed_import",
        "The data file {file} is not HDF5, or damaged at its beginning.",
        advice.DATA_FILES,
    )
    DATA_FILE_NO_PERMISSION = (
        "data_file_no_permission",
        "failed_import",
        "The data file {file} may not be read; check its permissions.",
        advice.PERMISSION,
    )
    DATA_FILE_DAMAGED = (
        "data_file_damaged",
        "failed_import",
        "The data file {file} is damaged or cut short: HDF5 cannot open it.",
        advice.DATA_FILES,
    )
    DATA_FILE_UNREADABLE = (
        "data_file_unreadable",
        "failed_import",
        "The data file {file} is damaged or cut short: HDF5 cannot read it.",
        advice.DATA_FILES,
    )
    DATA_FILE_PIXELS_DAMAGED = (
        "data_file_pixels_damaged",
        "failed_import",
        "The data file {file} is damaged or cut short: its pixels cannot be read.",
        advice.DATA_FILES,
    )
    DATA_FILE_LACKS_DATASET = (
        "data_file_lacks_dataset",
        "failed_import",
        "The data file {file} contains no {dataset}.",
        advice.DATA_FILES,
    )
    DATA_FILE_WITHOUT_IMAGES = (
        "data_file_without_images",
        "failed_import",
        "The data file {file} contains no images in {dataset}.",
        advice.DATA_FILES,
    )
    DATA_FILE_TOO_SHORT = (
        "data_file_too_short",
        "failed_import",
        "The data file {file} contains fewer images than the master specifies.",
        advice.DATA_FILES,
    )
    IN_NO_DATA_FILE = "in_no_data_file", "failed_import", "No data file contains this image.", advice.DATA_FILES
    NO_DATASET = "no_dataset", "failed_import", "The dataset {dataset} is missing."
    NOT_WRITTEN = "not_written", "failed_import", "The pixels of this image were not written to {file}."
    NEVER_WRITTEN = "never_written", "failed_import", "The pixels of this image were never written to {dataset}."
    DEAD_HDF5_LINK = (
        "dead_hdf5_link",
        "failed_import",
        "The link {link} points to {target}, which is not in the file.",
    )
    NO_AXIS = "no_axis", "failed_import", "The file contains no {target}, on which {item} depends."
    NO_GROUP = (
        "no_group",
        "failed_import",
        "The file does not describe the {what}: it has no group {group}.",
        None,
        ("what", "group"),
    )
    NO_IMAGES = (
        "no_images",
        "failed_import",
        "The file contains no images in entry/data, where NeXus and DECTRIS files store them.",
    )
    NO_FILTER = (
        "no_filter",
        "failed_import",
        "The file is compressed with HDF5 filter {filter}, which is not installed here. {remedy}",
        advice.INSTALL_FILTER,
        ("filter", "remedy"),
    )
    HEADER_LACKS = (
        "header_lacks",
        "failed_import",
        "The header of the file lacks {item}, which is needed to describe the experiment.",
        None,
        ("item",),
    )
    NO_COUNTS = (
        "no_counts",
        "failed_import",
        "No pixel of this image has a valid count: the image was not recorded, or was lost.",
    )
    MASK_IN_FILE_SIZE = (
        "mask_in_file_size",
        "failed_import",
        "The pixel mask in the file has {mask} pixels, but the image has {image}; correct pixel_mask in the file or"
        " delete it, and give a mask with image_import.mask.",
        advice.MASK_IN_FILE,
    )
    MASK_IN_FILE_ALL = (
        "mask_in_file_all",
        "failed_import",
        "The pixel mask in the file masks every pixel; correct pixel_mask in the file or delete it.",
        advice.MASK_IN_FILE,
    )

    # -- import: geometry and wavelength
    GEOMETRY_NOT_APPLIED = (
        "geometry_not_applied",
        "failed_import",
        "The given geometry (image_import, geometry) could not be applied to the detector of this image. {see}",
        advice.OTHER_GEOMETRY,
    )
    GEOMETRY_NOT_PLAUSIBLE = (
        "geometry_not_plausible",
        "failed_import",
        "The geometry of the image is not plausible: check distance, wavelength, beam centre and panels. {see}",
    )
    NO_WAVELENGTH = (
        "no_wavelength",
        "failed_import",
        "The file gives no usable wavelength ({wavelength_A:g} A); set it with geometry.beam.wavelength (A).",
        advice.WAVELENGTH,
    )
    NO_WAVELENGTH_OF_IMAGE = (
        "no_wavelength_of_image",
        "failed_import",
        "The file gives no usable wavelength for this image; set one for all images with geometry.beam.wavelength (A).",
        advice.WAVELENGTH,
    )
    BAD_WAVELENGTH_OF_IMAGE = (
        "bad_wavelength_of_image",
        "failed_import",
        "The file gives no usable wavelength for this image ({wavelength_A:g} A); set one for all images with"
        " geometry.beam.wavelength (A).",
        advice.WAVELENGTH,
    )
    AT_THE_SAMPLE = (
        "at_the_sample",
        "failed_import",
        "The geometry in the file puts the detector at the sample (distance {distance_mm:g} mm); set the distance with"
        " image_import.distance (mm).",
        advice.DISTANCE,
    )
    OTHER_DETECTOR = (
        "other_detector",
        "failed_import",
        "The reference geometry is for a different detector: it has {reference}, but the images have {image}. Give a"
        " geometry of their detector, or omit advanced.reference_geometry.",
        advice.OTHER_REFERENCE,
    )
    SIZE_DIFFERS = (
        "size_differs",
        "failed_import",
        "The image has {image}, but the detector in its header has {detector}.",
    )
    MODULES_DIFFER = (
        "modules_differ",
        "failed_import",
        "The image has {image}, but the modules of the detector in its header fill {detector}.",
    )
    NO_SUCH_PANEL = (
        "no_such_panel",
        "failed_import",
        "The beam centre is given for panel {panel:d}; the detector has panels {first_panel:d} to {last_panel:d}.",
    )
    NO_DETECTOR_POSITION = (
        "no_detector_position",
        "failed_import",
        "The header of the file does not give the position of the detector: it has neither geometry/translation nor"
        " detector_distance, pixel sizes and beam centre.",
    )
    NO_SENSOR_THICKNESS = (
        "no_sensor_thickness",
        "failed_import",
        "The file gives no usable sensor_thickness: it must be a number with a unit of length.",
    )
    TOO_MANY_AXES = (
        "too_many_axes",
        "failed_import",
        "The position of the detector depends on more than {maximum:d} axes, at {axis}.",
    )
    AXIS_WITHOUT_VALUE = (
        "axis_without_value",
        "failed_import",
        "The file gives no value for {axis}, on which the detector position depends.",
    )
    AXIS_WITHOUT_UNIT = (
        "axis_without_unit",
        "failed_import",
        "The file gives no unit for {axis}, on which the detector position depends.",
    )
    AXIS_UNIT_UNKNOWN = (
        "axis_unit_unknown",
        "failed_import",
        "The file gives the unit {unit}, which is not a unit of {quantity}, for {axis}, on which the detector position"
        " depends.",
        None,
        ("unit",),
    )
    AXIS_WITHOUT_DIRECTION = (
        "axis_without_direction",
        "failed_import",
        "The file gives no direction for {axis}, on which the detector position depends.",
    )

    # -- import: what a CrystFEL geometry says of the file
    CRYSTFEL_FILE = "crystfel_file", "failed_import", "{file}: {text}"
    CRYSTFEL_MASK_FILE = (
        "crystfel_mask_file",
        "failed_import",
        "{what} of the geometry, {file}, cannot be read.",
        None,
        ("what",),
    )
    CRYSTFEL_DIMENSIONS = (
        "crystfel_dimensions",
        "failed_import",
        "{dataset} has {n_dimensions:d} dimensions but the geometry describes {n_described:d}: {what} of panel {panel}"
        " cannot be extracted.",
    )
    CRYSTFEL_TOO_SMALL = (
        "crystfel_too_small",
        "failed_import",
        "{dataset} is too small, {shape}, for {what} of panel {panel}, which extends to max_ss = {max_ss:d}, max_fs ="
        " {max_fs:d}.",
    )
    CRYSTFEL_NO_INDEX = (
        "crystfel_no_index",
        "failed_import",
        "{dataset} has no index {index:d}: {what} of it is missing.",
    )
    CRYSTFEL_NO_VALUE = (
        "crystfel_no_value",
        "failed_import",
        "{dataset} has only {n_values:d} values, none for image {number:d}.",
    )
    CRYSTFEL_NOT_A_NUMBER = "crystfel_not_a_number", "failed_import", "{dataset} is not a number."
    CRYSTFEL_NO_LENGTH = (
        "crystfel_no_length",
        "failed_import",
        "{dataset}, where the geometry expects a length, is not a number for this image.",
    )
    CRYSTFEL_NO_DATASET = (
        "crystfel_no_dataset",
        "failed_import",
        "The file has no {dataset}, where the geometry says {what} is.",
    )
    CRYSTFEL_ALL_MASKED = (
        "crystfel_all_masked",
        "failed_import",
        "Every pixel of this image is masked by the geometry, or is not a number: check masks and bad regions.",
    )
    CRYSTFEL_NO_WAVELENGTH = (
        "crystfel_no_wavelength",
        "failed_import",
        "{quantity} is {value:g} {unit} for this image; set one for all images with geometry.beam.wavelength (A).",
    )

    # -- triage
    TOO_FEW_SPOTS = (
        "too_few_spots",
        "failed_triage",
        "{n_spots:No spots|* spot|* spots} found; at least {minimum:d} {minimum:is|are} needed.",
    )
    TOO_MANY_SPOTS = (
        "too_many_spots",
        "too_many_spots",
        "{n_spots:d} spots found; the maximum allowed is {maximum:d} (dispatch.hit_finder).",
    )

    # -- spot finding
    TOO_MANY_STRONG_PIXELS = (
        "too_many_strong_pixels",
        "failed_spotfinding",
        "Too many strong pixels for a diffraction pattern ({n_pixels:d}): the gain may be wrong (image_import.gain), or"
        " the threshold too low.",
        advice.GAIN,
    )
    GAIN_DIFFERS = (
        "gain_differs",
        "failed_spotfinding",
        "The gain is {header_gain:.1f} in the header, but {given_gain:.1f} was given: omit image_import.gain, or set"
        " input.ignore_gain_mismatch=True.",
        advice.GAIN,
    )
    MASK_SHAPE = (
        "mask_shape",
        "failed_spotfinding",
        "The mask does not have the shape of the detector.",
        advice.NEW_MASK,
    )
    MASK_MISFITS = (
        "mask_misfits",
        "failed_spotfinding",
        "The mask {file} has {mask}, but the images have {image}. Make one from these images.",
        advice.NEW_MASK,
    )
    NO_MASK = "no_mask", "failed_spotfinding", "The mask {file} no longer exists.", advice.NEW_MASK
    SPOTFINDING_STOPPED = (
        "spotfinding_stopped",
        "failed_spotfinding",
        "Spot finding stopped with an error. {see}",
    )

    # -- indexing
    NO_LATTICE = "no_lattice", "failed_indexing", "No lattice explains the spots."
    NO_LATTICE_IN_GRID = (
        "no_lattice_in_grid",
        "failed_indexing",
        "No lattice explains the spots with any of the spot-finding settings.",
    )
    RMSD_TOO_HIGH = (
        "rmsd_too_high",
        "failed_indexing",
        "The RMSD of the best lattice is too high, {rmsd_px:.1f} px (indexing.stills.rmsd_min_px).",
        advice.BEAM_CENTRE,
    )
    TOO_MOSAIC = (
        "too_mosaic",
        "failed_indexing",
        "The best lattice is too mosaic (indexing.stills.ewald_proximal_volume_max).",
        advice.CRACKED,
    )
    NO_BETTER_THAN_CHANCE = (
        "no_better_than_chance",
        "failed_indexing",
        "The best lattice indexes {n_indexed:d} of {n_spots:d} spots, which is no better than chance.",
    )
    NO_SPOTS_TO_INDEX = (
        "no_spots_to_index",
        "failed_indexing",
        "No spots within the resolution limits of indexing (indexing.refinement_protocol).",
    )
    TOO_FEW_FOR_MAX_CELL = (
        "too_few_for_max_cell",
        "failed_indexing",
        "Too few spots ({n_spots:d}) to estimate the largest cell axis: give the unit cell, or indexing.max_cell.",
    )
    NO_MAX_CELL = (
        "no_max_cell",
        "failed_indexing",
        "The largest cell axis cannot be estimated from these spots: give the unit cell, or indexing.max_cell.",
    )
    TOO_FEW_FOR_LOCAL = (
        "too_few_for_local",
        "failed_indexing",
        "Too few spots for index_assignment.method=local.",
    )
    CELL_CONTRADICTS_GROUP = (
        "cell_contradicts_group",
        "failed_indexing",
        "Space group and unit cell contradict each other (cctbx_xfel.target_space_group, cctbx_xfel.target_unit_cell).",
        advice.CELL_OF_GROUP,
    )
    NEEDS_CELL_AND_GROUP = (
        "needs_cell_and_group",
        "failed_indexing",
        "This indexing method needs a unit cell and a space group.",
    )
    NEEDS_CELL = "needs_cell", "failed_indexing", "This indexing method needs a unit cell."
    NO_ISOFORM = (
        "no_isoform",
        "failed_indexing",
        "None of the isoforms (indexing.stills.isoforms) has the symmetry of the lattice.",
    )
    NO_KNOWN_ORIENTATION = (
        "no_known_orientation",
        "failed_indexing",
        "No orientation is known for this image (known_orientations).",
    )
    CELL_RUNS_AWAY = (
        "cell_runs_away",
        "failed_indexing",
        "The unit cell changed by more than half in refinement.",
    )
    NOT_OF_KNOWN_SYMMETRY = (
        "not_of_known_symmetry",
        "failed_indexing",
        "The refined lattice no longer fits the known symmetry.",
    )
    TOO_FEW_FOR_MOSAICITY = (
        "too_few_for_mosaicity",
        "failed_indexing",
        "{n_spots:d} spots are too few to estimate the mosaicity.",
    )
    MOSAICITY_DIVERGES = "mosaicity_diverges", "failed_indexing", "The mosaicity diverges."
    TOO_FEW_FOR_OUTLIERS = (
        "too_few_for_outliers",
        "failed_indexing",
        "{n_spots:d} indexed spots are too few to identify outliers.",
    )
    TOO_FEW_TO_REFINE = (
        "too_few_to_refine",
        "failed_indexing",
        "{n_spots:d} spots are too few to refine a crystal.",
    )
    INDEXING_STOPPED = (
        "indexing_stopped",
        "failed_indexing",
        "Indexing stopped with an error. {see}",
        advice.SEE_LOG,
    )

    # -- refinement
    NOT_REFINED = "not_refined", "failed_refinement", "None of the lattices could be refined."
    TOO_FEW_INDEXED = (
        "too_few_indexed",
        "failed_refinement",
        "Too few spots were indexed to refine the lattice.",
    )
    REFINEMENT_STOPPED = (
        "refinement_stopped",
        "failed_refinement",
        "Refinement stopped with an error. {see}",
        advice.SEE_LOG,
    )

    # -- integration
    TOO_WIDE = (
        "too_wide",
        "failed_integration",
        "The spots are too wide (profile sigma_b_cutoff).",
        advice.OVERLAP,
    )
    NOT_SIGNIFICANT = (
        "not_significant",
        "failed_integration",
        "No significant reflections (significance filter).",
        advice.SIGNIFICANCE,
    )
    NO_PROFILES = (
        "no_profiles",
        "failed_integration",
        "No indexed spots are left for modelling the reflection profiles.",
    )
    NEGATIVE_COUNTS = (
        "negative_counts",
        "failed_integration",
        "Some pixels have negative counts: mask the bad pixels (image_import.mask).",
        advice.BAD_PIXELS,
    )
    ROTATION = (
        "rotation",
        "failed_integration",
        "The header describes a rotation, not a still (input.convert_sequences_to_stills).",
    )
    INTEGRATION_STOPPED = (
        "integration_stopped",
        "failed_integration",
        "Integration stopped with an error. {see}",
        advice.SEE_LOG,
    )

    # -- filter
    OTHER_CRYSTAL_SYSTEM = (
        "other_crystal_system",
        "failed_filter",
        "The lattice is {found}, not {wanted}.",
        None,
        ("found", "wanted"),
    )
    OTHER_POINT_GROUP = "other_point_group", "failed_filter", "The point group is {found}, not {wanted}."
    OTHER_CELL = (
        "other_cell",
        "failed_filter",
        "The cell {unit_cell:.1f} differs from {wanted_cell:.1f} by more than {tolerance_percent:g} %.",
        advice.TOLERANCE,
    )
    TOO_FEW_REFLECTIONS = (
        "too_few_reflections",
        "failed_filter",
        "{n_integrated:d} reflections were integrated; at least {minimum:d} are required.",
        advice.FEWER_REFLECTIONS,
    )
    RESOLUTION_TOO_LOW = (
        "resolution_too_low",
        "failed_filter",
        "The lattice reaches {d_min_A:.2f} A; {wanted_d_min_A:g} A or better is required.",
        advice.LOWER_RESOLUTION,
    )
    RESOLUTION_UNKNOWN = (
        "resolution_unknown",
        "failed_filter",
        "The resolution of the lattice is unknown; {wanted_d_min_A:g} A or better is required.",
        advice.LOWER_RESOLUTION,
    )
    FILTER_STOPPED = (
        "filter_stopped",
        "failed_filter",
        "The integrated lattices could not be written. {see}",
    )

    # -- time, memory, processes
    TOO_SLOW = "too_slow", "timed_out", "It took longer than allowed (mp.frame_timeout)."
    MEMORY_LIMIT = (
        "memory_limit",
        "crashed",
        "It needed more memory than allowed (mp.frame_memory).",
        advice.FRAME_MEMORY,
    )
    MEMORY_LIMIT_READING = (
        "memory_limit_reading",
        "failed_import",
        "Reading the image needed more memory than allowed (mp.frame_memory).",
        advice.FRAME_MEMORY,
    )
    OVER_MEMORY_LIMIT = (
        "over_memory_limit",
        "crashed",
        "It needed more than the {allowed_GB:g} GB of memory that mp.frame_memory allows; it already used"
        " {used_GB:.2g} GB when it requested more.",
        advice.FRAME_MEMORY,
    )
    NO_MEMORY_LEFT = (
        "no_memory_left",
        "crashed",
        "It needed more memory than is available; it already used {used_GB:.2g} GB when it requested more.",
        advice.FRAME_MEMORY,
    )
    KILLED = (
        "killed",
        "crashed",
        "Its process was killed (signal {signal:d}), as happens when a machine runs out of memory."
        "{n_tries:| It was tried twice.}",
        advice.FEWER_PROCESSES,
    )
    ENDED_BY_SIGNAL = (
        "ended_by_signal",
        "crashed",
        "Its process ended unexpectedly: {signal_name} (signal {signal:d}).{n_tries:| It was tried twice.}",
        None,
        ("signal_name",),
    )
    EXIT_STATUS = (
        "exit_status",
        "crashed",
        "Its process ended unexpectedly: exit status {exit_status:d}.{n_tries:| It was tried twice.}",
    )
    PROCESS_LOST = (
        "process_lost",
        "crashed",
        "Its process ended unexpectedly: {error}.{n_tries:| It was tried twice.}",
        None,
        ("error",),
    )
