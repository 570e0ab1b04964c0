"""The set-up on the start page: inputs and parameters, read from scripts and written to them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from iota.atomic_files import write_atomically
from iota.errors import ParameterError
from iota.params import Parameters, read, script_text, sort_arguments
from iota.params.fields import Field
from iota.params.forms import Form, Values, iota_form
from iota.params.old_scripts import is_old_name
from iota.params.old_targets import translate_target
from iota.params.to_backend import joined, set_by
from iota.runs import RunFolder

TARGET = "cctbx_xfel.target"
_APART = ("input", "output")  # not in dialogs: the page has its own places for them


class Setup:
    """A run in the making. Get it empty, or from :meth:`from_script`, :meth:`from_arguments` or :meth:`from_run`.

    ``iota`` and ``backend`` hold texts of fields that differ from the defaults, also wrong ones, by full name.
    """

    def __init__(self, home: Path) -> None:
        """Begin with the defaults; ``home`` is where relative paths begin."""
        self.home = home
        self.output = ""  # project folder as typed; empty is the home
        self.inputs: list[str] = []
        self.iota: Values = {}
        self.backend: Values = {}
        self.backend_form: Form | None = None
        self.remarks: list[str] = []
        self._assigned: list[tuple[str, str]] = []  # to the backend, while its form is not known
        self._in_target: Values | None = None  # what the target file says; None while that is not known

    @classmethod
    def from_script(cls, script: Path | str, home: Path, backend: Form | None = None) -> Setup:
        """Setup from a script's path or text.

        Raises:
            ParameterError: the script cannot be read, or a name or value is not understood.
        """
        setup = cls(home)
        is_text = isinstance(script, str)
        words = {"text": script} if is_text else {}
        setup._take(read([] if is_text else [Path(script)], **words, **setup._names(backend)))  # type: ignore[arg-type]
        if backend is not None:
            setup.take_backend(backend)
        return setup

    @classmethod
    def from_arguments(cls, arguments: Sequence[str], home: Path, backend: Form | None = None) -> Setup:
        """Setup from scripts, paths and name=value, as on a command line.

        Raises:
            ParameterError: a script cannot be read, or a name or value is not understood.
        """
        setup = cls(home)
        scripts, assignments, paths = sort_arguments(arguments)
        setup._take(read(scripts, assignments, **setup._names(backend)))  # type: ignore[arg-type]
        setup.inputs += paths
        if backend is not None:
            setup.take_backend(backend)
        return setup

    @classmethod
    def from_run(cls, folder: RunFolder, home: Path, backend: Form | None = None) -> Setup:
        """Setup of a run, to be run again or with changes.

        Raises:
            ParameterError: its script cannot be read.
        """
        return cls.from_script(folder.script, home, backend)

    @staticmethod
    def _names(backend: Form | None) -> dict[str, object]:
        def is_backend_name(name: str) -> bool:
            if backend is not None:
                return backend.has(name)
            # looked at when the form is there
            known = iota_form().has
            is_own = any(item.name == name.split(".")[0] for item in iota_form().root.items)
            return not is_own and not is_old_name(name, known)

        return {"is_backend_name": is_backend_name}

    def _take(self, parameters: Parameters) -> None:
        values = iota_form().values_of(parameters.scope)
        self.inputs = parameters.inputs
        self.output = values.pop("output", "")
        values.pop("input", None)
        self.iota = values
        self._assigned = list(parameters.backend_assignments)
        self.remarks = list(parameters.remarks)

    def change(self, name: str, text: str) -> None:
        """Give a parameter of IOTA or of the backend, by its full name, the text that a person could have typed.

        Raises:
            ParameterError: there is no such parameter.
        """
        if iota_form().has(name) and name not in _APART:
            self.iota[name] = text
        elif self.backend_form is None:
            self._assigned.append((name, text))
        elif self.backend_form.has(name):
            self.backend[name] = text
        else:
            raise ParameterError(f"There is no parameter named {name}.")

    # -- the backend

    @property
    def target_file(self) -> str:
        """Target file that a script named; empty where there is none."""
        return self.iota.get(TARGET, "")

    def take_backend(self, form: Form) -> None:
        """Take the backend's form, and read what was given for it: a target file, and assignments."""
        self.backend_form = form
        self.read_target()
        for name, value in self._assigned:
            try:
                values, unknown = form.read(f"{name} = {value}\n")
            except ParameterError as error:
                self.remarks.append(f"{name}={value}: {error}")
                continue
            self.backend.update(values)
            self.remarks += [f"The backend has no parameter named {item.path}." for item in unknown]
        self._assigned = []

    def read_target(self) -> None:
        """Read the target file anew; what it says becomes the backend's parameters."""
        self._in_target = None
        if self.backend_form is None or not self.target_file:
            self.backend = {}
            return
        path = Path(self.absolute(self.target_file))
        try:
            text = path.read_text(encoding="utf-8")
            values, unknown = self.backend_form.read(text, f"file {path}")
            translated = translate_target(unknown, self.backend_form.has)
            if translated.phil:
                values, _ = self.backend_form.read(f"{text}\n{translated.phil}", f"file {path}")
        except (OSError, UnicodeDecodeError) as error:
            self.remarks.append(f"The target file {path} cannot be read: {error}.")
            return
        except ParameterError as error:
            self.remarks.append(f"The target file {path} is not understood: {error}")
            return
        self.remarks += translated.told
        for item in unknown:
            if item.path not in translated.names:
                where = item.object.where_str.strip(" ()")
                self.remarks.append(f"The backend has no parameter named {item.path} ({where}).")
        for name in set_by(self.iota):  # IOTA's parameter wins in a run, and can be taken back here
            values.pop(name, None)
        self.backend = dict(values)
        self._in_target = None if unknown else values

    def target_text(self) -> str:
        """Parameters of the backend as PHIL; empty when there are none but those in the target file.

        Raises:
            ParameterError: one is wrong.
        """
        if self.backend_form is None:
            return "".join(f"{name} = {value}\n" for name, value in self._assigned)
        if self.backend == self._in_target or (self.target_file and not self._in_target and not self.backend):
            return ""
        return self.backend_form.phil_text(self.backend)

    # -- scripts

    def assignments(self) -> str:
        """IOTA's parameters that differ from the defaults, as PHIL, a line each.

        Raises:
            ParameterError: one is wrong.
        """
        return iota_form().phil_text(self._all_values())

    def script_text(self, target: str | None = None) -> str:
        """The complete script of IOTA's parameters.

        Args:
            target: path of the target file to write into it; None leaves the one there is.

        Raises:
            ParameterError: a value is wrong.
        """
        values = self._all_values()
        if target is not None:
            values[TARGET] = target
        return script_text(read(text=iota_form().phil_text(values)))

    def run_text(self) -> str:
        """The script of a run that is started somewhere else: all its paths are absolute.

        Raises:
            ParameterError: a value is wrong.
        """
        values = self._all_values()
        values["input"] = "\n".join(self.absolute(path) for path in self.inputs)
        values["output"] = str(self.project)
        for name, text in values.items():
            if iota_form().fields[name].kind == "path" and name not in _APART and text not in ("", "None"):
                values[name] = self.absolute(text)
        return script_text(read(text=iota_form().phil_text(values)))

    def save(self, path: Path) -> list[Path]:
        """Write the script, and beside it a target file where parameters of the backend are changed.

        Raises:
            ParameterError: a value is wrong, or a file cannot be written.
        """
        target = self.target_text()
        beside = path.with_name(f"{path.stem}_target.phil")
        files = {path: self.script_text(str(beside) if target else None)}
        if target:
            files[beside] = target
        for file, text in files.items():
            try:
                write_atomically(file, text)
            except OSError as error:
                raise ParameterError(f"{file} cannot be written: {error.strerror}.") from error
        return list(files)

    def _all_values(self) -> Values:
        values = dict(self.iota)
        values["input"] = "\n".join(self.inputs)
        values["output"] = self.output
        return values

    # -- what is said of it

    @property
    def project(self) -> Path:
        """Project folder, absolute."""
        return Path(self.absolute(self.output or "."))

    def set_by_iota(self) -> dict[str, str]:
        """Parameters of the backend that IOTA's set here whatever the backend is given, with a sentence on each."""
        changed = iota_form().changed(self.iota)
        return {
            name: f"Set by IOTA's {joined([f'{own} = {changed[own]}' for own in owns])}, which takes precedence."
            for name, owns in set_by(changed).items()
        }

    def problems(self) -> list[tuple[Field, str]]:
        """All wrong values, with what is wrong."""
        own, backend = iota_form(), self.backend_form
        found = [(own.fields[name], said) for name, said in own.problems(self.iota).items()]
        if backend is not None:
            found += [(backend.fields[name], said) for name, said in backend.problems(self.backend).items()]
        return found

    def absolute(self, path: str) -> str:
        """A path as it was typed, from the root."""
        return os.path.abspath(self.home / Path(path).expanduser())  # noqa: PTH100 - links stay as they were typed
