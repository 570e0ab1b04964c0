"""What becomes of stored pixels of each type."""

import msgspec
import numpy as np
import pytest

from iota.engine.images.pixel_values import NO_NUMBER, counts_of
from iota.engine.viewer.pixel_tiles import contrast_of


@pytest.mark.parametrize("kind", ["u1", "<u2", ">u2", "<u4", ">u4", "<u8"])
def test_the_highest_value_of_an_unsigned_type_is_no_count(kind):
    top = np.iinfo(kind).max
    found = counts_of(np.array([[0, 5, top]], dtype=kind))
    assert found.dtype == np.int32
    assert found.tolist() == [[0, 5, -1]]


@pytest.mark.parametrize("kind", ["<u4", "<u8", "<i8"])
def test_counts_beyond_32_bits_do_not_turn_negative(kind):
    assert counts_of(np.array([2**31, 2**32 - 2, 7], dtype=kind)).tolist() == [2**31 - 1, 2**31 - 1, 7]


def test_signed_marks_stay_as_they_are():
    assert counts_of(np.array([-2, -1, 0, 2**31 - 1], dtype="<i4")).tolist() == [-2, -1, 0, 2**31 - 1]
    assert counts_of(np.array([-(2**40)], dtype="<i8")).tolist() == [-(2**31)]


@pytest.mark.parametrize(("kind", "bits"), [("<u2", 16), ("<i4", 16), ("<u4", 32), ("<i4", 32)])
def test_the_two_highest_values_of_a_readout_are_no_counts(kind, bits):
    top = 2 ** min(bits, 31)
    assert counts_of(np.array([top - 3, top - 2, top - 1], dtype=kind), bits).tolist() == [top - 3, -2, -1]


@pytest.mark.parametrize("kind", ["<f2", "<f4", "<f8"])
def test_what_is_no_number_is_far_below_any_count(kind):
    found = counts_of(np.array([np.nan, np.inf, -np.inf, -1.5, 3.25], dtype=kind))
    assert found.tolist() == [NO_NUMBER, NO_NUMBER, NO_NUMBER, -1.5, 3.25]


def test_what_is_no_number_at_all_is_refused():
    with pytest.raises(TypeError, match="pixels are numbers"):
        counts_of(np.array([1j]))


@pytest.mark.parametrize("value", [0, 3, 40, 100_000, -7.5])
def test_the_contrast_of_any_background_can_be_sent_to_the_page(value):
    """For a high background it depends on the square root, which numpy gives as a number of its own."""
    image = np.full((64, 64), value)
    found = contrast_of([image], [np.ones(image.shape, dtype=bool)])
    assert msgspec.json.decode(msgspec.json.encode(found))["high"] == found.high > found.low
