"""A process that works through frames keeps nothing of them: counted, not timed.

The memory that is in use is malloc's own count, so nothing here depends on the machine or on what malloc keeps.
``benchmarks/worker_memory.py`` does the same with thousands of frames, and for all that such a process may do.
"""

import gc
import multiprocessing
import tempfile
import weakref
from collections import Counter
from pathlib import Path

import pytest
from worker_memory import Images, memory_now, ways

IMAGE_BYTES = 5 * 619 * 487  # counts of 32 bits, and which of them are trusted
N = 3  # images, which are gone through twice, so that nothing is new the second time


def _watch(*classes):
    """Have all objects of some classes counted that are made from now on."""
    made = []
    for one in classes:

        def init(self, *args, _init=one.__init__, **words):
            _init(self, *args, **words)
            made.append((type(self).__name__, weakref.ref(self)))

        one.__init__ = init
    return lambda: Counter(name for name, reference in made if reference() is not None)


def _measure(names, images, answers):
    from iota.engine.frame.frame import FrameWork
    from iota.engine.spots.in_memory import ImageInMemory
    from iota.engine.stills.still_indexer import StillIndexer
    from iota.engine.stills.still_profile import StillProfile
    from iota.engine.viewer import pixel_frames

    alive = _watch(FrameWork, ImageInMemory, StillIndexer, StillProfile)
    pixel_frames._MAX_BYTES = 0  # else the viewer keeps images on purpose
    for name in names:
        with tempfile.TemporaryDirectory(dir=images.folder) as folder:
            step = ways()[name](images, Path(folder))
            for number in range(N):
                step(number)
            gc.collect()
            gc.disable()
            before = memory_now().in_use
            outcomes = {step(number) for number in range(N, 2 * N)}
            uncollected = memory_now().in_use - before
            frames = alive()["FrameWork"]
            gc.enable()
            gc.collect()
            answers.send((outcomes, frames, uncollected / N, (memory_now().in_use - before) / N, alive()))
            del step


WAYS = {
    "run, several lattices": "integrated",
    "run, many HDF5 files": "integrated",
    "fail: triage": "failed_triage",
    "fail: indexing": "failed_indexing",
    "fail: indexing, off": "failed_indexing",
    "fail: integration": "failed_integration",
    "fail: filter": "failed_filter",
    "viewer": "shown",
}


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """What is left of each frame, for each thing that such a process does; in one of its own."""
    images = Images(tmp_path_factory.mktemp("images"), "300k", N)
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_measure, args=(list(WAYS), images, there))
    process.start()
    there.close()
    try:
        return {name: here.recv() for name in WAYS}
    finally:
        process.join()


@pytest.mark.parametrize(("way", "outcome"), WAYS.items())
def test_nothing_of_a_frame_stays(measured, way, outcome):
    outcomes, frames, uncollected, left, alive = measured[way]
    assert outcome in outcomes
    assert not alive, "a cycle that Python cannot collect"
    assert frames == 0, "a cycle that stays until Python looks for such"
    assert left < 0.05 * IMAGE_BYTES
    assert uncollected < 0.3 * IMAGE_BYTES
