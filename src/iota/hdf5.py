"""The only module that imports h5py: HDF5 with the compression filters of hdf5plugin, if installed.

Import h5py from here and from nowhere else.  hdf5plugin registers its filters when it is imported (0.03 s).  It has to
be imported: if HDF5 finds the same filters through HDF5_PLUGIN_PATH, it can read with them, but a script that imports
hdf5plugin later in that process can no longer write with them.

Opaque data are not read: their type is given by a text in the file, and no detector writes them.
"""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Callable
from typing import Any

import h5py as h5py


def _register() -> str:
    """Import hdf5plugin; returns why its filters are not available, empty if they are."""
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
    """Environment for other programs in which HDF5 finds the filters of hdf5plugin.

    Its folder comes first: HDF5 1.10 gives up at the first one that does not exist, as its own usually does not.
    """
    folders = [os.fsdecode(h5py.h5pl.get(number)) for number in range(h5py.h5pl.size())]
    if not plugin_problem:
        import hdf5plugin

        folders = [hdf5plugin.PLUGIN_PATH, *(folder for folder in folders if folder != hdf5plugin.PLUGIN_PATH)]
    return os.environ | {"HDF5_PLUGIN_PATH": os.pathsep.join(folders)}


def _has_opaque(kind: Any) -> bool:
    if isinstance(kind, h5py.h5t.TypeCompoundID):
        return any(_has_opaque(kind.get_member_type(number)) for number in range(kind.get_nmembers()))
    if isinstance(kind, h5py.h5t.TypeArrayID | h5py.h5t.TypeVlenID):
        return _has_opaque(kind.get_super())
    return isinstance(kind, h5py.h5t.TypeOpaqueID)


def _without_opaque(read: Callable[..., Any], kind_of: Callable[..., Any]) -> Callable[..., Any]:
    """A read function for h5py that refuses opaque data."""

    @functools.wraps(read)
    def checked(item: Any, name: Any, *arguments: Any, **named: Any) -> Any:
        if _has_opaque(kind_of(item, name)):
            raise TypeError("opaque data are not read")
        return read(item, name, *arguments, **named)

    return checked


h5py.Dataset.__getitem__ = _without_opaque(h5py.Dataset.__getitem__, lambda data, _: data.id.get_type())
h5py.Dataset.read_direct = _without_opaque(h5py.Dataset.read_direct, lambda data, _: data.id.get_type())
h5py.AttributeManager.__getitem__ = _without_opaque(
    h5py.AttributeManager.__getitem__, lambda attributes, name: attributes.get_id(name).get_type()
)
