"""Addresses of pages."""

from urllib.parse import parse_qs, urlsplit

import numpy as np

from iota.inputs.names.select import select_range
from iota.records import FrameRef
from iota.web.widgets.links import image_link, images_link, start_link


def _query(link):
    return {name: values for name, values in parse_qs(urlsplit(link).query).items()}


def test_a_set_of_rows_is_written_as_ranges():
    query = _query(image_link("001@0a1b2c3d", 8, np.array([3, 10, 8, 9, 3, 12])))
    assert query == {"run": ["001@0a1b2c3d"], "row": ["8"], "rows": ["3,8-10,12"]}
    rows = np.flatnonzero(np.random.default_rng(1).random(200) < 0.5)
    (text,) = _query(image_link("001", 0, rows))["rows"]
    assert [k for k in select_range(range(-1, 300), ",".join(_counted(text)))] == rows.tolist()


def _counted(text):
    """Ranges counted from 1, of numbers that begin with 0: one more than the row, in a list that begins with -1."""
    for part in text.split(","):
        yield "-".join(str(int(number) + 2) for number in part.split("-"))


def test_an_address_stays_short_however_large_the_set():
    link = image_link("001", 0, np.arange(0, 10**6, 2))
    assert len(link) < 2000
    assert "rows" not in image_link("001", 0, None)


def test_names_with_marks_survive_the_address():
    assert _query(images_link("/data/a b&c=#1/*.cbf", "first 10")) == {
        "sources": ["/data/a b&c=#1/*.cbf"],
        "some": ["first 10"],
    }
    assert _query(images_link("/data/x.h5", at=FrameRef("/data/x.h5", 4))) == {
        "sources": ["/data/x.h5"],
        "path": ["/data/x.h5"],
        "index": ["4"],
    }
    link = start_link("001", values={"cctbx_xfel.target_unit_cell": "79 79 38 90 90 90"}, setting="mp.queue")
    assert _query(link)["set"] == ["cctbx_xfel.target_unit_cell=79 79 38 90 90 90"]
