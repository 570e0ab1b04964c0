"""Reads CrystFEL geometry files (``.geom``): positions of panels in space and in the data, and masks.

The grammar is that of crystfel_geometry(5) of CrystFEL 0.12: lines ``key = value`` and ``panel/key = value``, where a
key without a panel is the default of all panels first named below it. Directives of older versions that still have
a meaning (``clen`` of a panel, ``mask_good``, ``rigid_group``) are understood. Lists of peaks are not needed.

Coordinate frames and signs: docs/explanations/coordinate-frames.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from iota.errors import UsageError
from iota.inputs.crystfel.groups import GroupLines, Level
from iota.inputs.crystfel.values import NotUnderstoodError, Quantity, bits, direction, energy, is_true, length, number

GEOMETRY_SUFFIX = ".geom"
_IGNORED = re.compile(r"^(peak_list|peak_info_location|hdf5_peak|bandwidth|beam_bandwidth)")
_MASK = re.compile(r"^mask(?P<number>[0-7])_(?P<what>data|file|filename|goodbits|badbits)$")
_OLD_MASKS = {
    "mask": "mask0_data",
    "mask_file": "mask0_file",
    "mask_good": "mask0_goodbits",
    "mask_bad": "mask0_badbits",
}
_FILE_KEY = re.compile(r"^(?:[^/]+/)?(?:mask(?:[0-7])?_file(?:name)?|saturation_map_file)$")

EVENT = "%"
Dimension = int | str  # a fixed index, or one of "%" (events), "ss", "fs"
_DEFAULT_DIMENSIONS: dict[int, Dimension] = {0: "ss", 1: "fs"}


class Mask(msgspec.Struct, frozen=True):
    """A mask: a pixel is bad if it lacks one of the good bits or has one of the bad bits."""

    data: str = ""
    file: str = ""  # empty: in the file of the image
    good_bits: int = 0
    bad_bits: int = 0


class Flag(msgspec.Struct, frozen=True):
    """Pixels whose value is ``equal`` to, ``lessthan`` or ``morethan`` this one are bad."""

    relation: str
    value: float


class GeometryPanel(msgspec.Struct, frozen=True):
    """A panel: in space in pixels and metres of CrystFEL's laboratory frame, and its place in the data."""

    name: str
    min_fs: int
    max_fs: int  # included
    min_ss: int
    max_ss: int
    corner_px: tuple[float, float]  # x, y of the outer corner of the first pixel, in pixels
    fs: tuple[float, float, float]  # from one pixel to the next, in pixels
    ss: tuple[float, float, float]
    res: float  # pixels per metre
    data: str
    dims: tuple[Dimension, ...]
    coffset_m: float = 0.0
    clen: Quantity | None = None  # its own, of older files; else that of the geometry
    adu_per_photon: float | None = None
    adu_per_eV: float | None = None
    max_adu: float | None = None
    saturation_map: str = ""
    saturation_map_file: str = ""
    masks: tuple[Mask, ...] = ()
    flags: tuple[Flag, ...] = ()
    n_edge: int = 0  # pixels at each edge that are bad
    no_index: bool = False

    @property
    def size(self) -> tuple[int, int]:
        """Pixels, fast and slow."""
        return self.max_fs - self.min_fs + 1, self.max_ss - self.min_ss + 1


class BadRegion(msgspec.Struct, frozen=True):
    """A bad region: in a panel's data (limits included), or in the laboratory frame in pixels (limits excluded)."""

    name: str
    panel: str  # empty: x and y of all panels
    first: tuple[float, float]  # fast and slow in the data, or x and y
    last: tuple[float, float]


class CrystfelGeometry(msgspec.Struct, frozen=True):
    """A geometry file. Get it from :func:`read_geometry`."""

    path: str
    panels: tuple[GeometryPanel, ...]
    bad: tuple[BadRegion, ...]
    clen: Quantity | None
    wavelength: Quantity | None  # its unit is one of eV, keV, m, A, V and kV, those of an electron microscope
    shift: tuple[Quantity | None, Quantity | None]  # of the whole detector along x and y
    unused: tuple[str, ...]  # keys that mean nothing here, or to nobody
    levels: tuple[Level, ...] = ()  # between the whole and its panels, from coarse to fine
    unused_groups: tuple[str, ...] = ()  # a sentence for each group, or level of groups, that is not used

    @property
    def masks_something(self) -> bool:
        """Whether it marks any pixels as bad."""
        panels = self.panels
        return bool(self.bad) or any(panel.masks or panel.flags or panel.n_edge or panel.no_index for panel in panels)

    @property
    def camera_length_m(self) -> float | None:
        """Distance along the beam, if the file contains it."""
        lengths = {(panel.clen or self.clen) for panel in self.panels}
        values = {q.value for q in lengths if q is not None}
        return values.pop() if len(lengths) == len(values) == 1 else None


def is_geometry_name(name: str) -> bool:
    """Whether the name is that of a CrystFEL geometry."""
    return name.lower().endswith(GEOMETRY_SUFFIX)


def split_geometry(paths: Sequence[str], given: str | None = None) -> tuple[str | None, list[str]]:
    """Separate a CrystFEL geometry from the other paths given, and check that it can be read.

    Args:
        paths: of images, folders, lists, and perhaps a geometry.
        given: the geometry if it was named otherwise.

    Returns:
        The path of the geometry, or None, and the other paths.

    Raises:
        UsageError: there are several, or it cannot be read.
    """
    named = list(dict.fromkeys([*([given] if given else []), *filter(is_geometry_name, paths)]))
    if len(named) > 1:
        raise UsageError(f"A run has one CrystFEL geometry, but {' and '.join(named)} were given. Remove all but one.")
    if named:
        read_geometry(named[0])
    return (named[0] if named else None), [path for path in paths if not is_geometry_name(path)]


def read_geometry(path: str | Path) -> CrystfelGeometry:
    """Read a geometry file.

    Raises:
        UsageError: it cannot be read, or something in it is missing or not understood; the text names the line.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise UsageError(f"The CrystFEL geometry {path} cannot be read: {error.strerror}.") from error
    return parse_geometry(text, path)


def parse_geometry(text: str, path: str | Path) -> CrystfelGeometry:
    """Read the text of a geometry file; see :func:`read_geometry`."""
    parser = _Parser(Path(path))
    for line_number, key, value in _lines(text):
        try:
            parser.take(key, value)
        except NotUnderstoodError as error:
            raise UsageError(f"The CrystFEL geometry {path}, line {line_number}, {key} = {value}: {error}") from error
    try:
        return parser.geometry()
    except NotUnderstoodError as error:
        raise UsageError(f"The CrystFEL geometry {path}: {error}") from error


def self_contained(text: str, folder: Path) -> str:
    """The text of a geometry file with the paths of masks made absolute, so that a copy of it elsewhere is the same."""
    lines = []
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        value, semicolon, comment = value.partition(";")
        if equals and _FILE_KEY.match(key.strip()) and value.strip():
            line = f"{key}= {_file(value.strip(), folder)} {semicolon}{comment}".rstrip()
        lines.append(line)
    return "\n".join(lines) + "\n"


def _lines(text: str) -> Iterator[tuple[int, str, str]]:
    for line_number, line in enumerate(text.splitlines(), start=1):
        key, equals, value = line.partition(";")[0].partition("=")
        if equals:
            yield line_number, key.strip(), value.strip()
        elif key.strip():
            yield line_number, key.strip(), ""


def _file(name: str, folder: Path) -> str:
    """A file that a geometry names: from the current folder, as CrystFEL does it, or beside the geometry."""
    path = Path(name).expanduser()
    if path.is_absolute():
        return str(path)
    return str(path.absolute() if path.exists() else folder.absolute() / path)


class _Parser:
    """Reads the file line by line."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._defaults: dict[str, object] = {}
        self._panels: dict[str, dict[str, object]] = {}
        self._bad: dict[str, dict[str, str | float]] = {}
        self._clen: Quantity | None = None
        self._wavelength: Quantity | None = None
        self._shift: list[Quantity | None] = [None, None]
        self._unused: dict[str, None] = {}
        self._groups = GroupLines()

    def take(self, key: str, value: str) -> None:
        if not value:
            raise NotUnderstoodError("this is not of the form key = value.")
        name, slash, field = key.partition("/")
        if not slash:
            self._take_top(key, value)
        elif name.startswith("bad"):
            self._take_bad(name, field, value)
        else:
            if name not in self._panels:
                self._panels[name] = {k: v.copy() if isinstance(v, dict) else v for k, v in self._defaults.items()}
            self._take_field(self._panels[name], field, value)

    def _take_top(self, key: str, value: str) -> None:
        if key in ("photon_energy", "wavelength", "electron_voltage"):
            self._wavelength = energy(key, value)
        elif key == "clen":
            self._clen = length(value, default_m=1e-3)
        elif key in ("detector_shift_x", "detector_shift_y"):
            self._shift["xy".index(key[-1])] = length(value, default_m=1.0)
        elif _IGNORED.match(key):
            if "peak" in key:
                self._unused[key] = None
        elif not self._groups.take(key, value):
            self._take_field(self._defaults, key, value)

    def _take_field(self, fields: dict[str, object], key: str, value: str) -> None:
        key = _OLD_MASKS.get(key, key)
        if mask := _MASK.match(key):
            masks = fields.setdefault("masks", {})
            assert isinstance(masks, dict)
            number_of_mask, what = int(mask["number"]), mask["what"]
            known = masks.get(number_of_mask, Mask())
            masks[number_of_mask] = msgspec.structs.replace(known, **self._mask_value(what, value))
        elif key.startswith("dim") and key[3:].isdigit():
            dims = fields.setdefault("dims", dict(_DEFAULT_DIMENSIONS))
            assert isinstance(dims, dict)
            dims[int(key[3:])] = _dimension(value)
        elif key.startswith("flag_") and key[5:] in ("equal", "lessthan", "morethan"):
            flags = fields.get("flags", ())
            assert isinstance(flags, tuple)
            fields["flags"] = (*flags, Flag(key[5:], number(value)))
        elif key in _FIELDS:
            fields[key] = _FIELDS[key](value)
        elif key == "saturation_map_file":
            fields[key] = _file(value, self._path.parent)
        else:
            self._unused[key] = None

    def _mask_value(self, what: str, value: str) -> dict[str, str | int]:
        if what == "data":
            return {"data": value}
        if what in ("file", "filename"):
            return {"file": _file(value, self._path.parent)}
        return {"good_bits" if what == "goodbits" else "bad_bits": bits(value)}

    def _take_bad(self, name: str, key: str, value: str) -> None:
        region = self._bad.setdefault(name, {})
        if key == "panel":
            region[key] = value
        elif re.fullmatch(r"(min|max)_(fs|ss|x|y)", key):
            region[key] = number(value)
        else:
            self._unused[f"{name}/{key}"] = None

    def geometry(self) -> CrystfelGeometry:
        """The geometry read so far, if it is complete."""
        if not self._panels:
            raise NotUnderstoodError("it describes no panels (such as p0/min_fs = 0). Is it really a geometry file?")
        panels = tuple(_panel(name, fields) for name, fields in self._panels.items())
        events = {(panel.dims.count(EVENT), panel.data.count(EVENT)) for panel in panels}
        if len(events) > 1:
            raise NotUnderstoodError("panels differ in the number of placeholders (%) in data and dim.")
        if self._clen is None and any(panel.clen is None for panel in panels):
            raise NotUnderstoodError("it does not give the distance, clen; add a line such as clen = 0.1200 m.")
        levels, unused_groups = self._groups.levels(list(self._panels))
        return CrystfelGeometry(
            path=str(self._path),
            panels=panels,
            bad=tuple(_bad_region(name, fields, panels) for name, fields in self._bad.items()),
            clen=self._clen,
            wavelength=self._wavelength,
            shift=(self._shift[0], self._shift[1]),
            unused=tuple(self._unused),
            levels=levels,
            unused_groups=unused_groups,
        )


_FIELDS: dict[str, Callable[[str], object]] = {
    **dict.fromkeys(("min_fs", "max_fs", "min_ss", "max_ss"), lambda value: int(number(value))),
    **dict.fromkeys(("corner_x", "corner_y", "coffset", "adu_per_photon", "adu_per_eV", "max_adu"), number),
    "res": number,
    "fs": direction,
    "ss": direction,
    "clen": lambda value: length(value, default_m=1e-3),
    "data": str,
    "saturation_map": str,
    "no_index": is_true,
    "mask_edge_pixels": lambda value: int(number(value)),
}
_NEEDED = ("min_fs", "max_fs", "min_ss", "max_ss", "corner_x", "corner_y", "fs", "ss", "res")


def _dimension(value: str) -> Dimension:
    if value in (EVENT, "ss", "fs"):
        return value
    if value.isdigit():
        return int(value)
    raise NotUnderstoodError("a dimension must be %, ss, fs or an index.")


def _panel(name: str, fields: dict[str, object]) -> GeometryPanel:
    missing = [key for key in _NEEDED if key not in fields]
    if missing:
        raise NotUnderstoodError(f"panel {name} has no {', '.join(missing)}.")
    dims, masks = fields.pop("dims", _DEFAULT_DIMENSIONS), fields.pop("masks", {})
    assert isinstance(dims, dict) and isinstance(masks, dict)
    corner = fields.pop("corner_x"), fields.pop("corner_y")
    renamed = {"coffset": "coffset_m", "mask_edge_pixels": "n_edge"}
    panel = GeometryPanel(
        name=name,
        corner_px=corner,  # type: ignore[arg-type]  # they are numbers, as all of _FIELDS makes them
        dims=_dimensions(name, dims),
        masks=tuple(mask for _, mask in sorted(masks.items()) if mask.data),
        data=str(fields.pop("data", "/data/data")),
        **{renamed.get(key, key): value for key, value in fields.items()},  # type: ignore[arg-type]
    )
    if min(panel.size) < 1 or min(panel.min_fs, panel.min_ss) < 0:
        raise NotUnderstoodError(
            f"panel {name} has no pixels: min_fs, max_fs, min_ss and max_ss do not define a region."
        )
    if not panel.res > 0:
        raise NotUnderstoodError(f"panel {name} has res = {panel.res:g}; res must be the number of pixels per metre.")
    return panel


def _dimensions(name: str, dims: dict[int, Dimension]) -> tuple[Dimension, ...]:
    order = [dims.get(k) for k in range(max(dims) + 1)]
    if None in order or order.count("ss") != 1 or order.count("fs") != 1 or order.index("fs") < order.index("ss"):
        said = ", ".join(f"dim{k} = {value}" for k, value in sorted(dims.items()))
        raise NotUnderstoodError(
            f"panel {name} has {said}; all dimensions from dim0 on are needed, with ss and fs once, ss first."
        )
    return tuple(value for value in order if value is not None)


def _bad_region(name: str, fields: dict[str, str | float], panels: tuple[GeometryPanel, ...]) -> BadRegion:
    is_data = any(key.endswith("s") for key in fields if key != "panel")
    axes = ("fs", "ss") if is_data else ("x", "y")
    wanted = [f"{end}_{axis}" for end in ("min", "max") for axis in axes]
    if set(fields) - {"panel"} != set(wanted):
        raise NotUnderstoodError(f"{name} needs {', '.join(wanted)} and nothing else.")
    panel = str(fields.get("panel", panels[0].name if is_data and len(panels) == 1 else ""))
    if is_data and panel not in {p.name for p in panels}:
        raise NotUnderstoodError(f"{name} refers to panel {panel or '(none given)'}, which does not exist.")
    values = [float(fields[key]) for key in wanted]
    return BadRegion(name, panel if is_data else "", (values[0], values[1]), (values[2], values[3]))
