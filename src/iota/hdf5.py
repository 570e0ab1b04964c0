"""HDF5 for all of IOTA: h5py, with the compression filters of hdf5plugin where that is installed.

Import h5py from here and from nowhere else.  hdf5plugin registers its filters when it is imported (0.03 s).  It has to
be imported: if HDF5 finds the same filters through HDF5_PLUGIN_PATH, it can read with them, but a script that imports
hdf5plugin later in that process can no longer write with them.
"""

from __future__ import annotations

import logging
import os

import h5py as h5py


def _register() -> str:
    """Import hdf5plugin; returns why its filters are not there, empty when they are."""
    logger = logging.getLogger("hdf5plugin")  # what it says of single filters is said by who needs them
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        import hdf5plugin
    except ModuleNotFoundError:
        return "not installed"
    except Exception as error:  # noqa: BLE001 - whatever is wrong with it, images without it can be read
        return f"broken ({type(error).__name__}: {error})"
    finally:
        logger.setLevel(before)
    # Debian's package has none, and leaves them to other packages
    return "" if hdf5plugin.get_config().build_config.embedded_filters else "installed without filters"


plugin_problem = _register()  # why there are no filters of hdf5plugin; empty when there are


def environment_with_filters() -> dict[str, str]:
    """Environment of programs that are not ours, in which HDF5 finds the filters of hdf5plugin.

    Its folder comes first: HDF5 1.10 gives up at the first one that does not exist, as its own usually does not.
    """
    folders = [os.fsdecode(h5py.h5pl.get(number)) for number in range(h5py.h5pl.size())]
    if not plugin_problem:
        import hdf5plugin

        folders = [hdf5plugin.PLUGIN_PATH, *(folder for folder in folders if folder != hdf5plugin.PLUGIN_PATH)]
    return os.environ | {"HDF5_PLUGIN_PATH": os.pathsep.join(folders)}
