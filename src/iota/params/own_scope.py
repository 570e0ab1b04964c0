"""Reads the parameters of commands other than iota.run: ``merging``, ``export``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from libtbx.phil import parse
from libtbx.utils import Sorry

from iota.errors import ParameterError
from iota.params import safe_text


class OwnScope:
    """Reads and writes one scope; on the command line its name may be left out of those of its parameters.

    Args:
        name: of the scope.
        command: that has these parameters, for sentences.
        text: definitions in PHIL.
    """

    def __init__(self, name: str, command: str, text: str) -> None:
        self._name = name
        self._command = command
        self._text = text

    def _master(self) -> Any:
        return parse(self._text, converter_registry=safe_text.converters())

    def read(self, scripts: Sequence[Path] = (), assignments: Sequence[str] = ()) -> Any:
        """Values of the scope.

        Raises:
            ParameterError: a name or value is not understood.
        """
        master = self._master()
        try:
            sources = [safe_text.parse(path.read_text(encoding="utf-8"), f"file {path}") for path in scripts]
            for text in assignments:
                name, value = (part.strip() for part in text.split("=", 1))
                name = name if name.startswith(f"{self._name}.") else f"{self._name}.{name}"
                quoted = f'"{value}"' if " " in value and value[:1] not in ("'", '"') else value
                sources.append(safe_text.parse(f"{name} = {quoted}", f"{name}={value}"))
            scope, unused = master.fetch(sources=sources, track_unused_definitions=True)
            if unused:
                raise ParameterError(
                    f"{self._command} has no parameter named {unused[0].path}. {self._command} --parameters lists all."
                )
            return getattr(scope.extract(), self._name)
        except (Sorry, RuntimeError, ValueError, OSError) as error:
            raise ParameterError(str(error).strip().splitlines()[0]) from error

    def text(self, values: Any) -> str:
        """The script that repeats these parameters."""
        scope = self._master().extract()
        setattr(scope, self._name, values)
        return str(self._master().format(scope).as_str())

    def help(self) -> str:
        """All parameters with their help."""
        return str(self._master().as_str(attributes_level=1))
