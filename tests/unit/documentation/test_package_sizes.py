"""Packages have few modules, so that one finds them at a glance."""

from collections import Counter
from pathlib import Path

import iota

MAX_MODULES = 20


def test_no_package_has_too_many_modules():
    modules = Counter(path.parent for path in Path(iota.__file__).parent.rglob("*.py") if path.name != "__init__.py")
    assert len(modules) > 40
    assert {str(package): n for package, n in modules.items() if n > MAX_MODULES} == {}
