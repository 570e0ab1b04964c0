"""HDF5 for all of IOTA: h5py, with the compression filters of hdf5plugin where that is installed.

Import h5py from here and from nowhere else.  HDF5 looks for a filter that it lacks in the folders of its plugins.
That of hdf5plugin becomes the first of them, in this process and, by ``HDF5_PLUGIN_PATH``, in those that it starts,
programs of DIALS among them.  Nothing of hdf5plugin is imported, so this costs a millisecond.
"""

from __future__ import annotations

import importlib.util
import os

import h5py as h5py


def plugin_folder() -> str | None:
    """Folder of hdf5plugin's filters; None where it is not installed, or without filters of its own as in Debian."""
    try:
        found = importlib.util.find_spec("hdf5plugin")
    except (ImportError, ValueError):  # somebody has it hidden
        found = None
    for place in (found.submodule_search_locations or ()) if found is not None else ():
        folder = os.path.join(place, "plugins")  # noqa: PTH118 - text, as HDF5 wants it
        if os.path.isdir(folder):  # noqa: PTH112
            return folder
    return None


def folders() -> list[str]:
    """Where HDF5 looks for filters, in this order."""
    return [os.fsdecode(h5py.h5pl.get(number)) for number in range(h5py.h5pl.size())]


def offer_filters() -> None:
    """Have HDF5 look into the folder of hdf5plugin, before all others.

    After them it might never get there: HDF5 1.10 gives up at the first folder that does not exist, and its own
    usually does not.
    """
    folder = plugin_folder()
    if folder is None:
        return
    if folder not in folders():
        h5py.h5pl.prepend(os.fsencode(folder))
    os.environ["HDF5_PLUGIN_PATH"] = os.pathsep.join(folders())


offer_filters()
