"""Objects that all pages of a server share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from iota.web.backend import Backend
from iota.web.image.pixel_server import PixelServer
from iota.web.projects.projects import Projects


@dataclass
class Site:
    """One server: the projects it shows, and what it was started with."""

    projects: Projects
    arguments: Sequence[str] = field(default_factory=tuple)  # scripts, paths and name=value that fill the start page
    backend: Backend = field(default_factory=Backend)
    pixels: PixelServer = field(default_factory=PixelServer)  # opens images; no process runs before it is asked

    @property
    def home(self) -> Path:
        """The project that the server was started in."""
        return self.projects.home
