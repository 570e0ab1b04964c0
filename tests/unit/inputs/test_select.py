import pytest

from iota.errors import UsageError
from iota.inputs.names.select import ranges_in, select_random, select_range
from iota.records import FrameRef

FRAMES = [FrameRef(f"/data/img_{k}.cbf") for k in range(1, 11)]


def _numbers(frames):
    return [FRAMES.index(frame) + 1 for frame in frames]


def test_ranges_count_from_one_and_include_their_ends():
    assert _numbers(select_range(FRAMES, "1-3, 7")) == [1, 2, 3, 7]
    assert _numbers(select_range(FRAMES, "10,2-3,3")) == [2, 3, 10]


@pytest.mark.parametrize("text", ["0-3", "3-1", "a", "1-", "", "1;2", "9-11", "1-" + "9" * 5000])
def test_wrong_ranges_are_refused(text):
    with pytest.raises(UsageError):
        select_range(FRAMES, text)


def test_ranges_of_images_that_are_not_counted_cost_nothing():
    assert ranges_in("1-1000000000, 7, 1000000001", None) == [range(1_000_000_001)]


def test_a_random_sample_repeats_with_its_seed_and_keeps_the_order():
    first, again, other = (select_random(FRAMES, 4, seed) for seed in (1, 1, 2))
    assert first == again != other
    assert _numbers(first) == sorted(_numbers(first))


def test_the_size_of_a_sample_follows_the_manual_when_not_given():
    many = [FrameRef(f"/data/{k}") for k in range(200)]
    assert [len(select_random(many[:n], 0, 1)) for n in (4, 40, 200)] == [4, 5, 20]


def test_more_than_there_are_is_refused():
    with pytest.raises(UsageError, match="10 only"):
        select_random(FRAMES, 11, 1)
