"""Reads the file of a frame into a DIALS experiment list."""

from __future__ import annotations

import copy
import math
from pathlib import Path
from typing import Any

import dxtbx
from dxtbx.format.FormatMultiImage import FormatMultiImage
from dxtbx.format.FormatXTC import FormatXTC
from dxtbx.format.Registry import get_format_class_for_file
from dxtbx.imageset import ImageSet
from dxtbx.model.experiment_list import Experiment, ExperimentList
from dxtbx.sequence_filenames import template_regex
from scitbx.array_family import flex

from iota.causes import Cause, Why, why
from iota.engine.backend.dials_files import read_experiments
from iota.engine.backend.remarks import remark
from iota.engine.backend.sentences import SentenceError
from iota.engine.images import reference_detector as reference
from iota.engine.images.crystfel_images import crystfel_images, geometry_detector
from iota.engine.images.detector_moves import bring_downstream, update_geometry
from iota.engine.images.hdf5.images import HDF5Images, open_images
from iota.engine.images.image_pickles import check_pickle
from iota.engine.images.reading import ImportFailedError, NoSuchImageError, reading, why_contents, why_file
from iota.engine.images.xtc_locators import read_locator
from iota.errors import BackendError, InputError
from iota.inputs.crystfel.geometry import is_geometry_name
from iota.inputs.finding.hdf5 import master_beside
from iota.inputs.hdf5.foreign import foreign_file, is_foreign
from iota.inputs.hdf5.masters import is_hdf5, why_own_file
from iota.records import FrameRef

FormatXTC.params_from_phil = staticmethod(read_locator)

_MIN_MM = 1.0  # no detector is this close to a sample
_ONLY_DETECTOR = (
    "Only the detector of the CrystFEL geometry is used for these images; its masks and bad regions apply to HDF5"
    " files. image_import.mask masks pixels in any format."
)


def import_frame(frame: FrameRef, params: Any, link: Path, reference_detector: Any = None) -> ExperimentList:
    """Read one still as :func:`import_models` does, with its pixels loaded.

    Raises:
        ImportFailedError: there is no such file, it holds no such image, or its pixels cannot be read.
    """
    experiments = import_models(frame, params, link, reference_detector)
    with reading("pixels", frame.path, frame.index or 0):
        raw = experiments[0].imageset.get_raw_data(0)  # they stay in the image set's cache for spot finding
    _check_size(raw, experiments[0].detector)
    return experiments


class OpenedFile:
    """The multi-image file of the last frame, whose models are built once and not for each of its images (0.1 s)."""

    def __init__(self, files_grow: bool = False) -> None:
        self._files_grow = files_grow  # what is written into a file after it was opened may not be seen
        self._key: tuple[str, int, int] | None = None
        self._format_class: Any = None
        self._imageset: Any = None
        self._hdf5: HDF5Images | None = None

    def hdf5(self, path: str) -> HDF5Images | None:
        """The HDF5 master of the last frame or another one; None if it has to be read by dxtbx."""
        if self._key != _file_key(path):
            self._format_class = self._imageset = None
            self._hdf5 = open_images(path, self._files_grow)
            self._key = _file_key(path)
        return self._hdf5

    def keep(self, path: str, format_class: Any, imageset: Any) -> None:
        """Keep a file with the image set of one of its images."""
        if not self._files_grow:
            self._key, self._format_class, self._imageset = _file_key(path), format_class, imageset

    def imageset(self, path: str, index: int) -> Any:
        """Image set of an image, with models of its own; None if it is not in this file, or the file has changed."""
        if self._imageset is None or self._key != _file_key(path):
            return None
        instance = self._format_class.get_instance(self._imageset.paths()[0])
        if index >= instance.get_num_images():
            return None
        imageset = ImageSet(self._imageset.data(), indices=flex.size_t([index]))
        imageset.set_beam(copy.deepcopy(instance.get_beam(index)), 0)
        imageset.set_detector(copy.deepcopy(instance.get_detector(index)), 0)
        imageset.set_goniometer(copy.deepcopy(instance.get_goniometer(index)), 0)
        imageset.set_scan(copy.deepcopy(instance.get_scan(index)), 0)
        return imageset


def _file_key(path: str) -> tuple[str, int, int]:
    status = Path(path).stat()
    return path, status.st_mtime_ns, status.st_size


def import_models(
    frame: FrameRef, params: Any, link: Path, reference_detector: Any = None, opened: OpenedFile | None = None
) -> ExperimentList:
    """Read one still as an experiment list of length 1, without its pixels.

    Unlike DIALS' own import it opens one image of a multi-image file and not all.

    Args:
        frame: the image.
        params: backend parameters, for changes of the geometry.
        link: where to put a link to an image whose name DIALS cannot take, since no number is in its place.
        reference_detector: detector model to use instead of that of the image header, or None.
        opened: what keeps a multi-image file for the next frame, or None.

    Raises:
        ImportFailedError: there is no such file, or it holds no such image.
    """
    path, index = frame.path, frame.index or 0
    with reading("header", path, index):
        imageset = _imageset(frame, params, link, opened)
    if reference_detector is None and params.crystfel.geometry and not is_hdf5(path):
        reference_detector = load_reference_geometry(params.crystfel.geometry)
        if crystfel_images(params.crystfel.geometry).geometry.masks_something:
            remark(_ONLY_DETECTOR)
    with reading("geometry", path, index):
        _set_models(imageset, params, reference_detector)
    experiment = Experiment(
        imageset=imageset,
        beam=imageset.get_beam(0),
        detector=imageset.get_detector(0),
        goniometer=imageset.get_goniometer(0),
        scan=imageset.get_scan(0),
    )
    return ExperimentList([experiment])


def _set_models(imageset: Any, params: Any, reference_detector: Any) -> None:
    """Set the models of the image according to the parameters and the reference geometry."""
    try:
        update_geometry(params, _downstream(imageset))
    except SentenceError as error:
        raise ImportFailedError(error.why) from error
    if reference_detector is not None:
        _use_reference(imageset, params, reference_detector)
    _check_models(imageset)


def _downstream(imageset: Any) -> Any:
    """The same image set, with a detector that is upstream of the sample in the file moved downstream."""
    detector = imageset.get_detector(0)
    if bring_downstream(detector, imageset.get_beam(0)):
        imageset.set_detector(detector, 0)
        remark(
            "The file places the detector upstream of the sample; it is assumed to be downstream at the same distance."
        )
    return imageset


def _check_models(imageset: Any) -> None:
    """Check that there are a wavelength and a distance."""
    wavelength_A = imageset.get_beam(0).get_wavelength()
    if not (math.isfinite(wavelength_A) and wavelength_A > 0):
        raise ImportFailedError(why(Cause.NO_WAVELENGTH, wavelength_A=wavelength_A))
    distances_mm = (panel.get_directed_distance() for panel in imageset.get_detector(0))
    if not any(abs(mm) >= _MIN_MM for mm in distances_mm):
        raise ImportFailedError(why(Cause.AT_THE_SAMPLE, distance_mm=0.0))


def _use_reference(imageset: Any, params: Any, reference_detector: Any) -> None:
    detector = imageset.get_detector(0)
    differs = reference.difference(reference_detector, detector)
    if differs:
        raise ImportFailedError(differs)
    if params.input.sync_reference_geom:
        reference.put_in_place(reference_detector, detector)
        imageset.set_detector(detector, 0)
    else:
        imageset.set_detector(reference_detector, 0)


def read_pixels(imageset: Any) -> Any:
    """Pixels of the only image of a set as its format class reads them: a flex array, or one a panel in a tuple.

    For 6 megapixels this takes 9 ms; ``get_raw_data`` of the image set, which copies them twice, 33 ms.

    Raises:
        ImportFailedError: they cannot be read.
    """
    with reading("pixels", imageset.paths()[0], imageset.indices()[0]):
        raw = imageset.reader().read(imageset.indices()[0])
    _check_size(raw, imageset.get_detector())
    return raw


def _check_size(raw: Any, detector: Any) -> None:
    """Check that image and detector have the same size; otherwise DIALS fails wherever it first notices."""
    found = [tuple(panel.all()[::-1]) for panel in (raw if isinstance(raw, tuple) else (raw,))]
    wanted = [tuple(panel.get_image_size()) for panel in detector]
    if found != wanted:
        raise ImportFailedError(why(Cause.SIZE_DIFFERS, image=_sizes(found), detector=_sizes(wanted)))


def _sizes(panels: list[tuple[int, ...]]) -> str:
    sizes = " and ".join(sorted({" x ".join(map(str, size)) for size in panels}))
    return f"{len(panels)} panel{'s' if len(panels) > 1 else ''} of {sizes} pixels"


def _imageset(frame: FrameRef, params: Any, link: Path, opened: OpenedFile | None) -> Any:
    """Image set with the models of the file; where a wavelength is given, the file need not have one."""
    path = Path(frame.path)
    _check_file(path)
    index = frame.index or 0
    has_wavelength = params.geometry.beam.wavelength is not None
    if is_hdf5(frame.path) and params.crystfel.geometry:
        return _crystfel_imageset(params.crystfel.geometry, frame.path, index, has_wavelength)
    if is_hdf5(frame.path):
        found = _hdf5_imageset(frame.path, index, opened or OpenedFile(), has_wavelength)
        if found is not None:
            return found
    known = opened.imageset(frame.path, index) if opened is not None else None
    if known is not None:
        return known
    format_class = None if is_foreign(frame.path) else get_format_class_for_file(frame.path)
    if format_class is None or format_class.is_abstract():
        raise ImportFailedError(_why_not_recognised(path))
    if not issubclass(format_class, FormatMultiImage):
        if frame.index:
            raise NoSuchImageError(why(Cause.NO_SUCH_IMAGE, n_images=1))
        is_numbered = template_regex(path.name)[0] is not None
        return format_class.get_imageset([frame.path if is_numbered else _linked(path, link)], as_imageset=True)
    n_images = format_class(frame.path).get_num_images()
    if index >= n_images:
        raise NoSuchImageError(why(Cause.NO_SUCH_IMAGE, n_images=n_images))
    imageset = format_class.get_imageset([frame.path], as_imageset=True, single_file_indices=[index])
    if opened is not None:
        opened.keep(frame.path, format_class, imageset)
    return imageset


def _why_not_recognised(path: Path) -> Why:
    """Why no format class accepts a file."""
    foreign, master = foreign_file(str(path)), master_beside(str(path))
    if master is not None:
        return why(Cause.IS_DATA_FILE, master=Path(master).name)
    if foreign is not None:
        return why(Cause.OTHER_FORMAT, format=foreign.one, way=foreign.way)
    return why_contents(path) or why(Cause.NOT_RECOGNISED)


def _crystfel_imageset(geometry: str, path: str, index: int, has_wavelength: bool) -> Any:
    """Image set of an image as a CrystFEL geometry describes it."""
    problem = why_own_file(path)
    if problem:
        raise ImportFailedError(problem)
    try:
        return crystfel_images(geometry).imageset(path, index, has_wavelength)
    except InputError as error:
        raise ImportFailedError(why(Cause.CRYSTFEL_FILE, file=Path(path).name, text=str(error))) from error


def _hdf5_imageset(path: str, index: int, opened: OpenedFile, has_wavelength: bool) -> Any:
    """Image set of an image of an HDF5 master; None if dxtbx has to read it in its own way."""
    images = opened.hdf5(path)
    if images is None:
        return None
    problem = images.why(index) or (None if has_wavelength else images.no_wavelength(index))
    if problem:
        raise (ImportFailedError if index < images.map.n_images else NoSuchImageError)(problem)
    if images.map.channel is not None:
        remark(images.map.channel.sentence())
    return images.imageset(index)


def _linked(path: Path, link: Path) -> str:
    """Link an image under a name that ends with a number, which DIALS and its viewers require."""
    numbered = link.with_name(f"{link.name}_00001{''.join(path.suffixes)}")
    numbered.parent.mkdir(exist_ok=True)
    if not numbered.is_symlink():
        numbered.symlink_to(path)
    return str(numbered)


def _check_file(path: Path) -> None:
    problem = why_file(path)
    if problem:
        raise ImportFailedError(problem)
    try:
        with path.open("rb") as file:
            start = file.read(2)
        check_pickle(path, start)
    except (OSError, EOFError) as error:
        raise ImportFailedError(why(Cause.PIXELS_DAMAGED)) from error


def load_reference_geometry(path: str | None) -> Any:
    """Detector model of an ``.expt`` file with one detector, or of an image; None if no path is given.

    Raises:
        BackendError: neither can be read from the path.
    """
    if path is None:
        return None
    if not Path(path).is_file():
        raise BackendError(f"The reference geometry {path} is not a file.")
    if is_geometry_name(path):
        return geometry_detector(crystfel_images(path).geometry, path)
    try:
        with reading("header", path):
            images = open_images(path) if is_hdf5(path) else None
            if images is not None:
                return _downstream(images.imageset(0)).get_detector(0)
    except ImportFailedError as error:
        raise BackendError(f"The reference geometry {path} cannot be read. {error}") from error
    if get_format_class_for_file(path) is not None:
        return dxtbx.load(path).get_detector()
    try:
        detectors = read_experiments(Path(path)).detectors()
    except BackendError as error:
        raise BackendError(f"The reference geometry {path} is neither an image nor an .expt file. {error}") from error
    if len(detectors) != 1:
        raise BackendError(f"The reference geometry {path} holds {len(detectors)} detectors; one is needed.")
    return detectors[0]
