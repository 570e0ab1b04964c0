"""Reads CrystFEL event lists, ``path entry//3``, and converts them to ``path#N``."""

from __future__ import annotations

from iota.errors import InputError
from iota.inputs.crystfel.events import Event, Events, events_of, split_event
from iota.inputs.crystfel.geometry import CrystfelGeometry
from iota.inputs.hdf5.masters import open_hdf5
from iota.inputs.names.lists import place_line


class EventLines:
    """Finds the numbers of events; keep it for a list, since it opens a file once."""

    def __init__(self, geometry: CrystfelGeometry | None) -> None:
        self._geometry = geometry
        self._last: tuple[str, Events] | None = None

    def numbered(self, line: str, list_folder: str) -> str:
        """The line as ``path#N``, N from 1, if it names an event, else as it is.

        Raises:
            InputError: there is no such event; the text goes after the line.
        """
        path, event = split_event(line)
        if event is None:
            return path
        if not event.groups and len(event.indices) == 1:  # one dimension of images, as nearly always
            return f"{path}#{event.indices[0] + 1}"
        number = self._events(place_line(path, list_folder), event).number(event)
        if number is None:
            raise InputError(f"the file has no event {event}.")
        return f"{path}#{number + 1}"

    def _events(self, path: str, event: Event) -> Events:
        if self._geometry is None:
            raise InputError(f"a CrystFEL geometry is needed to find event {event}: iota.run detector.geom LIST.")
        if self._last is None or self._last[0] != path:
            try:
                with open_hdf5(path) as file:
                    self._last = path, events_of(file, self._geometry)
            except OSError as error:
                raise InputError("the file cannot be read as HDF5.") from error
        return self._last[1]
