"""Descriptions of fields in the API, from the docstrings under them."""

from dataclasses import dataclass

import msgspec

from iota.web.api.descriptions import components
from iota.web.api.fields import described, descriptions, structures
from iota.web.api.models import FrameRow


class Inner(msgspec.Struct):
    """In a list."""

    width_mm: float
    """Width (mm)."""
    height_mm: float  # a comment is not seen by tools


class Outer(msgspec.Struct):
    """Base."""

    several: list[Inner] | None = None
    """Some of them."""


class Derived(Outer, rename="camel"):
    """Inherits a field, and writes its own under another name."""

    more_words: str = ""
    """Of its own."""


@dataclass
class Plain:
    """A dataclass."""

    inner: dict[str, Inner]
    """By name."""


def test_descriptions_are_the_docstrings_under_fields_with_those_of_bases():
    assert descriptions(Inner) == {"width_mm": "Width (mm)."}
    assert descriptions(Derived) == {"several": "Some of them.", "more_words": "Of its own."}
    assert descriptions(Plain) == {"inner": "By name."}


def test_structures_within_fields_are_found_once():
    assert structures([Plain, Derived]) == [Plain, Derived, Inner]


def test_json_schemas_get_them_by_the_names_that_are_sent():
    _, schemas = msgspec.json.schema_components([Derived])
    made = described(schemas, [Derived])
    assert made["Derived"]["properties"]["moreWords"]["description"] == "Of its own."
    assert made["Inner"]["properties"]["width_mm"]["description"] == "Width (mm)."
    assert "description" not in made["Inner"]["properties"]["height_mm"]


def test_the_api_describes_the_fields_of_records():
    made = components()["FrameRow"]["properties"]
    assert made["n_spots"]["description"] == descriptions(FrameRow)["n_spots"] != ""
    assert made["row"]["description"]
