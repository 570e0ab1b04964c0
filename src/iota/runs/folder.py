"""Creates and opens run folders, ``integration/NNN``, and defines where their files are."""

from __future__ import annotations

import errno
import platform
import socket
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

import iota
from iota.atomic_files import UNFINISHED, remove_unfinished, write_atomically
from iota.errors import RunFolderError

FORMAT_VERSION = 1
_SUBFOLDERS = ("dials", "final", "logs")


class RunInfo(msgspec.Struct, kw_only=True):
    """``run.json``: what was started, where, and with which program versions; written once."""

    command_line: list[str]
    """The command and its arguments."""
    working_folder: str
    """The folder in which it was started."""
    started: float
    """Start of the run (s since the epoch)."""
    host: str
    """Host on which it was started."""
    versions: dict[str, str]
    """Program or package -> version."""
    format_version: int = FORMAT_VERSION
    """Version of this file's format."""


def new_numbered_folder(above: Path) -> Path:
    """Make the folder with the next number, ``NNN``, even if others are made at the same time.

    Raises:
        OSError: it cannot be made.
    """
    above.mkdir(parents=True, exist_ok=True)
    number = max((int(path.name) for path in above.iterdir() if path.name.isdigit()), default=0)
    while True:
        number += 1
        folder = above / f"{number:03d}"
        try:
            folder.mkdir()
            return folder
        except FileExistsError:  # somebody took the number at this moment
            continue


def new_staging_folder(above: Path) -> Path:
    """Make a hidden folder in which a set of files is written before :func:`publish_folder` gives it its number.

    Those that killed processes left behind a day ago or earlier are removed.

    Raises:
        OSError: it cannot be made.
    """
    above.mkdir(parents=True, exist_ok=True)
    remove_unfinished(above)
    return Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=above))


def publish_folder(staging: Path) -> Path:
    """Rename a folder of complete files to the next number, ``NNN``, in one step, so that it is never seen incomplete.

    Raises:
        OSError: it cannot be renamed.
    """
    above = staging.parent
    staging.chmod(above.stat().st_mode & 0o777)  # that of mkdtemp is for its owner alone
    number = max((int(path.name) for path in above.iterdir() if path.name.isdigit()), default=0)
    while True:
        number += 1
        folder = above / f"{number:03d}"
        try:
            staging.rename(folder)
            return folder
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):  # else somebody took the number at this moment
                raise


class RunFolder:
    """Paths of one run.  Get it from :meth:`create` or :meth:`open`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def number(self) -> int:
        """Number of the run."""
        return int(self.path.name)

    @property
    def ledger(self) -> Path:
        """The ledger, one line of JSON for each finished frame."""
        return self.path / "frames.jsonl"

    @property
    def log(self) -> Path:
        """The log for users."""
        return self.path / "iota.log"

    @property
    def state(self) -> Path:
        """The state of the run, replaced atomically."""
        return self.path / "state.json"

    @property
    def info(self) -> Path:
        """How the run was started."""
        return self.path / "run.json"

    @property
    def script(self) -> Path:
        """The complete IOTA script; given to ``iota.run`` it repeats the run."""
        return self.path / f"iota_r{self.number}.param"

    @property
    def target(self) -> Path:
        """The backend script; ``dials.stills_process`` runs with it."""
        return self.path / "target.phil"

    @property
    def crystfel_geometry(self) -> Path:
        """The CrystFEL geometry used to read the images, if any, as it was when the run was created."""
        return self.path / "crystfel.geom"

    @property
    def control(self) -> Path:
        """The folder for orders to a run in progress."""
        return self.path / ".control"

    @property
    def optimisation(self) -> Path:
        """Settings that were tried before the run, if requested."""
        return self.path / "optimisation.json"

    @property
    def determined(self) -> Path:
        """The determined lattices, if any."""
        return self.path / "learnt.json"

    @property
    def geometry_diagnosis(self) -> Path:
        """Whether the detector is where it was taken to be, if there were enough lattices to tell."""
        return self.path / "geometry_diagnosis.json"

    @property
    def geometry_revisions(self) -> Path:
        """Geometries that the run tried instead of the given one, if any."""
        return self.path / "geometry_revisions.json"

    @property
    def geometry_drift(self) -> Path:
        """How the detector moved during the run, if there were enough lattices to tell."""
        return self.path / "geometry_drift.json"

    @classmethod
    def create(cls, output: Path) -> RunFolder:
        """Make the next run folder below ``output``.

        Raises:
            RunFolderError: it cannot be made.
        """
        runs = output / "integration"
        try:
            path = new_numbered_folder(runs)
            for name in _SUBFOLDERS:
                (path / name).mkdir()
        except OSError as error:
            raise RunFolderError(
                f"No run folder can be created in {runs}: {error.strerror}. Choose another place with output=FOLDER."
            ) from error
        return cls(path)

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """Open an existing run folder.

        Raises:
            RunFolderError: the path is not a run folder.
        """
        if not path.name.isdigit() or not (path / "run.json").is_file():
            raise RunFolderError(f"{path} is not a run folder; give one like integration/001.")
        return cls(path)

    @classmethod
    def find(cls, run: str, project: Path = Path()) -> RunFolder:
        """Open a run given by its number in a project, or by its folder.

        Raises:
            RunFolderError: there is no such run.
        """
        path = project / "integration" / f"{int(run):03d}" if run.isdigit() else Path(run)
        return cls.open(path.expanduser().absolute())

    def write_info(self, command_line: Sequence[str], versions: dict[str, str]) -> None:
        """Write ``run.json``."""
        info = RunInfo(
            command_line=list(command_line),
            working_folder=str(Path.cwd()),
            started=time.time(),
            host=socket.gethostname(),
            versions={"iota": iota.__version__, "python": platform.python_version(), **versions},
        )
        self.write_text(self.info, msgspec.json.format(msgspec.json.encode(info), indent=1).decode() + "\n")

    def write_text(self, path: Path, text: str) -> None:
        """Write a small file so that a reader sees the old one or the new one, never a part.

        Raises:
            RunFolderError: the file system refuses.
        """
        replace_text(path, text)

    def remove(self, path: Path) -> None:
        """Remove a file if it is there.

        Raises:
            RunFolderError: the file system refuses.
        """
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise RunFolderError(cannot_write(path, error)) from error


def replace_text(path: Path, text: str) -> None:
    """Replace a file atomically.

    Raises:
        RunFolderError: the file system refuses.
    """
    try:
        write_atomically(path, text)
    except OSError as error:
        raise RunFolderError(cannot_write(path, error)) from error


def cannot_write(path: Path, error: OSError) -> str:
    """Sentence for a file of a run that cannot be written."""
    return (
        f"{path} cannot be written: {error.strerror}. Finished images are kept; once this is fixed,"
        " continue with iota.run --resume RUN."
    )
