"""Libraries that are imported when they are first used."""

import subprocess
import sys

import pytest


def said(program):
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_what_dials_hardly_uses_is_not_loaded_before_it_is_used():
    pytest.importorskip("sklearn")
    program = """
import sys
import iota.engine.frame.preload
import dxtbx.model.detector_helpers as helpers
from dials.array_family import flex_ext
print(*(name in sys.modules for name in ("sklearn", "sklearn.cluster", "pandas", "scipy.stats")))
import sklearn.cluster, pandas
print(helpers.sklearn.cluster.DBSCAN is sklearn.cluster.DBSCAN, flex_ext.pd.DataFrame is pandas.DataFrame)
"""
    finder = """
import sys
from iota.engine.backend.lazy_modules import lazily_imported
with lazily_imported("sklearn.cluster", "pandas"):
    import dials.algorithms.spot_finding.finder
print("scipy.stats" in sys.modules)
"""
    of_dials = said(finder)  # a newer one uses it from the start
    assert said(program) == ["False"] * 3 + of_dials + ["True"] * 2


def test_a_lazy_module_becomes_the_module_at_its_first_use():
    program = """
import inspect, sys
from iota.engine.backend.lazy_modules import lazily_imported
with lazily_imported("xml.dom", "no_such_package", "json"):
    import xml.dom
    inspect.getmodule(lazily_imported)
    print("xml.dom.domreg" in sys.modules, "no_such_package" in sys.modules, "json" in sys.modules)
    print(xml.dom.domreg.__name__, "xml.dom.domreg" in sys.modules, sys.modules["xml"] is not xml)
with lazily_imported("colorsys"):
    from colorsys import rgb_to_hsv
    print(rgb_to_hsv(0, 0, 0)[0])
with lazily_imported("calendar"):
    import calendar as later
import calendar
print(later is not calendar, later.isleap is calendar.isleap)
"""
    assert said(program) == ["False", "False", "True", "xml.dom.domreg", "True", "True", "0.0", "True", "True"]
