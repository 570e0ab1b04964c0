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
import gc
print(*(name in sys.modules for name in ("sklearn", "sklearn.cluster", "pandas", "scipy.stats")))
assert gc.get_freeze_count() > 100_000, "what is imported here is not shared by the processes forked from this one"
import sklearn.cluster, pandas
print(helpers.sklearn.cluster.DBSCAN is sklearn.cluster.DBSCAN, flex_ext.pd.DataFrame is pandas.DataFrame)
"""
    finder = """
import sys
from iota.engine.backend.later import imported_later
with imported_later("sklearn.cluster", "pandas"):
    import dials.algorithms.spot_finding.finder
print("scipy.stats" in sys.modules)
"""
    of_dials = said(finder)  # a newer one uses it from the start
    assert said(program) == ["False"] * 3 + of_dials + ["True"] * 2


def test_a_stand_in_becomes_the_module_at_its_first_use():
    program = """
import inspect, sys
from iota.engine.backend.later import imported_later
with imported_later("xml.dom", "no_such_package", "json"):
    import xml.dom
    inspect.getmodule(imported_later)
    print("xml.dom.domreg" in sys.modules, "no_such_package" in sys.modules, "json" in sys.modules)
    print(xml.dom.domreg.__name__, "xml.dom.domreg" in sys.modules, sys.modules["xml"] is not xml)
with imported_later("colorsys"):
    from colorsys import rgb_to_hsv
    print(rgb_to_hsv(0, 0, 0)[0])
with imported_later("calendar"):
    import calendar as later
import calendar
print(later is not calendar, later.isleap is calendar.isleap)
"""
    assert said(program) == ["False", "False", "True", "xml.dom.domreg", "True", "True", "0.0", "True", "True"]
