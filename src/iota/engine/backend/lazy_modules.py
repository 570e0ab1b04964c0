"""Defers slow imports of DIALS to their first use."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType
from typing import Any


class _LazyModule(ModuleType):
    """Takes the place of a package and one of its modules until either is used; then both are imported."""

    def __init__(self, package: str, wanted: str) -> None:
        super().__init__(package)
        self._wanted = wanted

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name not in ("__path__", "__version__"):
            raise AttributeError(name)  # whoever looks at all modules, as inspect does, uses none
        self._remove()
        import_module(self._wanted)
        return getattr(sys.modules[self.__name__], name)

    def _remove(self) -> None:
        """Make the next import a real one."""
        for name in (self.__name__, self._wanted):
            if sys.modules.get(name) is self:
                del sys.modules[name]


@contextlib.contextmanager
def lazily_imported(*names: str) -> Iterator[None]:
    """Make ``import NAME`` take no time within the context; the module is imported when it is first used.

    ``from NAME import`` is a use.  What is imported already is left alone, and so is what is not installed.

    Args:
        names: modules, as ``a`` or ``a.b``.
    """
    lazy_modules = []
    for name in names:
        package = name.partition(".")[0]
        if package not in sys.modules and importlib.util.find_spec(package) is not None:
            lazy_module = sys.modules[package] = sys.modules[name] = _LazyModule(package, name)
            lazy_modules.append(lazy_module)
    try:
        yield
    finally:
        for lazy_module in lazy_modules:
            lazy_module._remove()
