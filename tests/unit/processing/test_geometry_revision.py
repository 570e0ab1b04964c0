"""Revision of the geometry during a run with a made-up engine, in which frames need a geometry to be indexed."""

import copy
import random

import msgspec
import pytest
from made_up_engine import TETRAGONAL, TRIED, Beam, Book, Crystals, Killed, Threads, batches_of, blanks, essence, hits

from iota.processing.coordinator import Coordinator
from iota.processing.determination import DeterminationRules
from iota.processing.geometry.proof import Tried, compare
from iota.processing.geometry.revision import GeometryRules, Proposal
from iota.processing.interfaces import GeometryToRevise
from iota.records import NOT_HITS, FrameRef, Settings
from iota.runs.determination import Determination
from iota.runs.geometry_revisions import GeometryRevisions
from iota.runs.sampling import scouting_key

GIVEN = (Settings("given lattice", " ".join(map(str, TETRAGONAL))),)


class Detector(Crystals):
    """Frames are indexed with the geometry that is right, some of them also with the header's."""

    def __init__(self, frames, right="", n_anyway=0, lost=()):
        super().__init__(frames)
        self.right, self.lost = right, lost
        self.anyway = set(sorted(name for name in frames if "hit" in name)[:n_anyway])

    def work(self, task):
        report = super().work(task)
        if task.kind == "screen" or self.frames[task.name][0] == "blank":
            return report
        if task.more == self.right and task.name not in self.lost:
            return report
        if task.more != self.right and task.name in self.anyway:
            if task.kind == "process":
                report.lattices = [msgspec.structs.replace(x, n_indexed=40, rmsd_px=1.0) for x in report.lattices]
            return report
        if task.kind == "scout":
            return msgspec.structs.replace(report, unit_cell=None, n_indexed=0)
        return self._result(task, "failed_indexing")


class GeometryBook(Book):
    """Ledger and what was determined; hits can be withdrawn."""

    def __init__(self, entries=10**9):
        super().__init__(entries)
        self.revisions, self.told, self.before = GeometryRevisions(), [], {}

    def revised(self, revisions, new):
        self._entry()
        if new is not None:
            self.told.append(new)
        withdrawn = {}
        if new is not None and new.proof.is_better:
            withdrawn = {frame: result for frame, result in self.results.items() if result.outcome not in NOT_HITS}
            for frame in withdrawn:
                del self.results[frame]
            self.determination = Determination()
            self.lattices = []
            self.before = withdrawn
        self.revisions = copy.deepcopy(revisions)
        return self.before


class Finder:
    """Proposes geometries, and records from what."""

    def __init__(self, search=None, refined=()):
        self.searched, self.refined = search, list(refined)
        self.used = []

    def rules(self, settings=GIVEN):
        return GeometryRules(
            search=self.search,
            refine=self.refine,
            follow=self.follow,
            more=lambda one: lambda _: "" if one is None else one.reference,
            given_cell=TETRAGONAL,
            settings_of_search=settings,
        )

    def search(self, results):
        self.used.append(("search", sorted(x.name for x in results)))
        return (
            None
            if self.searched is None
            else Proposal(self.searched, "The beam centre is elsewhere.", len(results), "search")
        )

    def refine(self, results, again):
        self.used.append(("refine", sorted(x.name for x in results)))
        proposed = self.refined[int(again) : int(again) + 1]
        return Proposal(proposed[0], "The detector is tilted.", len(results), "refinement") if proposed else None

    def follow(self):
        self.used.append(("follow", []))


def _run(engine, finder, *, n_processes=3, seed=0, shuffle=None, book=None, rules=None, feed=None, newest_first=False):
    names = sorted(engine.frames)
    if shuffle is not None:
        random.Random(shuffle).shuffle(names)
    frames = [] if feed else [FrameRef(f"/data/{name}.cbf") for name in names]
    book = book or GeometryBook()
    finished = {frame: result.outcome for frame, result in book.results.items()}
    geometry = GeometryToRevise(
        finder.rules(GIVEN if rules is None else tuple(TRIED)),
        copy.deepcopy(book.revisions),
        [copy.deepcopy(x) for x in book.results.values() if x.outcome not in NOT_HITS],
        copy.deepcopy(book.before),
    )
    Coordinator(
        frames,
        lambda frame: frame.path[6:-4],
        Threads(engine.work, n_processes, seed),
        book,
        GIVEN if rules is None else tuple(TRIED),
        rules,
        copy.deepcopy(book.determination),
        finished,
        feed,
        newest_first,
        geometry,
    ).run()
    assert len(book.results) == len(engine.frames), "a frame has no record"
    return book


def _outcomes(book):
    found = [result.outcome for result in book.results.values()]
    return {outcome: found.count(outcome) for outcome in set(found)}


def _learning():
    return DeterminationRules(
        settings_to_try=TRIED, with_lattice=lambda label, cell, group: Settings(label, " ".join(map(str, cell)))
    )


def test_a_right_geometry_is_kept_and_each_frame_is_processed_once():
    engine, finder = Detector(hits(90) | blanks(40)), Finder()
    book = _run(engine, finder)
    assert book.revisions == GeometryRevisions(over=True, is_drift_checked=True)
    assert [kind for kind, _ in finder.used] == ["refine", "follow"]
    assert len(finder.used[0][1]) == 48
    assert sorted(name for _, name in engine.asked) == sorted(engine.frames)


@pytest.mark.parametrize("learning", [False, True])
def test_a_geometry_found_by_a_search_is_used_for_all_hits(learning):
    engine, finder = Detector(hits(90) | blanks(40), right="good"), Finder(search="good")
    book = _run(engine, finder, rules=_learning() if learning else None)
    assert _outcomes(book) == {"integrated": 90, "failed_triage": 40}
    assert [kind for kind, _ in finder.used] == ["search", "refine", "follow"]
    (told,) = book.told
    n_tried = 12 if learning else 8  # those that were scouted in vain, or a third of 24
    assert (told.method, told.proof.n_integrated_before, told.proof.n_integrated_after) == ("search", 0, n_tried)
    assert book.revisions.in_use is not None
    assert len(book.lattices) == learning
    used = set(finder.used[0][1])
    assert len(used) == (60 if learning else 16)
    scouted = {name for kind, name in engine.asked if kind == "scout"}
    assert not scouted & used
    assert len(scouted) <= 2 * 6 + 6, "it went on looking for a lattice"


@pytest.mark.parametrize("learning", [False, True])
@pytest.mark.parametrize("seed", range(2))
def test_the_result_depends_neither_on_order_nor_on_the_number_of_workers(seed, learning):
    rules = _learning() if learning else None
    frames = hits(100) | blanks(60)

    def run(**options):
        finder = Finder(search="good", refined=["better"])
        return _run(Detector(frames, right="good", n_anyway=10, lost=("hit_003",)), finder, rules=rules, **options)

    reference, book = run(), run(n_processes=seed + 1, seed=seed, shuffle=seed)
    assert book.revisions == reference.revisions
    assert {f: essence(r) for f, r in book.results.items()} == {f: essence(r) for f, r in reference.results.items()}


def test_a_geometry_that_is_not_better_is_not_used():
    engine, finder = Detector(hits(90)), Finder(refined=["worse"])
    book = _run(engine, finder)
    assert _outcomes(book) == {"integrated": 90}
    (told,) = book.told
    assert (told.proof.n_integrated_before, told.proof.n_integrated_after, told.proof.is_better) == (24, 0, False)
    assert book.revisions.in_use is None
    assert book.revisions.over


def test_a_hit_integrated_only_with_the_geometry_before_keeps_that_result():
    """One of the hits of the sample is lost by a refined geometry that indexes many more spots of the others."""
    frames = hits(72)
    engine = Detector(frames, right="better", n_anyway=72, lost=("hit_005",))
    book = _run(engine, Finder(refined=["better"]))
    (lost,) = [x for x in book.results.values() if x.name == "hit_005"]
    assert lost.outcome == "integrated"
    assert lost.lattices[0].n_indexed == 40
    assert "With the refined geometry: " in lost.attempts[-1]
    assert {x.lattices[0].n_indexed for x in book.results.values() if x.name != "hit_005"} == {90}


def test_a_search_in_vain_does_not_end_the_sample():
    """While it goes on, other frames wait; then hits are collected until there are enough to refine the geometry."""
    engine, finder = Detector(hits(200), right="good", n_anyway=40), Finder()
    _run(engine, finder)
    kinds = [kind for kind, _ in finder.used]
    assert kinds == ["search", "refine", "follow"]
    assert len(finder.used[1][1]) > 20, "hits that were not processed yet were left out"


def test_few_hits_change_nothing():
    finder = Finder(search="good", refined=["better"])
    book = _run(Detector(hits(14) | blanks(30), right="good"), finder)
    assert finder.used == [("follow", [])]
    assert book.revisions == GeometryRevisions(over=True, is_drift_checked=True)


@pytest.mark.parametrize("learning", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_a_run_killed_at_any_moment_and_resumed_is_as_if_nothing_had_happened(seed, learning):
    frames = hits(80) | blanks(20)
    rules = _learning() if learning else None

    def run(book):
        engine = Detector(frames, right="good", n_anyway=8)
        return _run(engine, Finder(search="good"), n_processes=1 + seed % 3, seed=seed, book=book, rules=rules)

    reference = run(None)
    rng = random.Random(seed)
    book, n_kills = GeometryBook(rng.randrange(100)), 0
    while True:
        try:
            run(book)
            break
        except Killed:
            n_kills += 1
            book.entries = rng.randrange(1, 60)
    assert n_kills > 0
    assert book.revisions == reference.revisions
    assert {f: essence(r) for f, r in book.results.items()} == {f: essence(r) for f, r in reference.results.items()}


@pytest.mark.parametrize("seed", range(3))
def test_a_resumed_run_keeps_the_results_with_the_geometry_before_that_it_would_have_kept(seed):
    """Those of the sample, so that they do not depend on which other hits had been finished."""
    names = sorted(hits(120), key=lambda name: scouting_key(FrameRef(f"/data/{name}.cbf")))
    in_sample, others = names[0:24:3], names[72::4]  # none of those that are set aside

    def run(book, seed=seed):
        engine = Detector(hits(120), right="better", n_anyway=120, lost=in_sample + others)
        return _run(engine, Finder(refined=["better"]), seed=seed, book=book)

    reference, book = run(None), GeometryBook()
    assert _outcomes(reference) == {"integrated": 120 - len(others), "failed_indexing": len(others)}
    rng = random.Random(seed)
    book.entries = rng.randrange(80, 150)
    with pytest.raises(Killed):
        run(book)
    book.entries = 10**9
    run(book, seed + 1)
    assert book.revisions == reference.revisions
    assert {f: essence(r) for f, r in book.results.items()} == {f: essence(r) for f, r in reference.results.items()}


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("learning", [False, True])
def test_frames_that_arrive_during_a_run_are_processed_with_the_geometry_found_with_the_first(learning, newest_first):
    frames = hits(100) | blanks(50)
    engine = Detector(frames, right="good")
    book = _run(
        engine,
        Finder(search="good"),
        rules=_learning() if learning else None,
        feed=Beam(batches_of(frames, 1)),
        newest_first=newest_first,
    )
    assert _outcomes(book) == {"integrated": 100, "failed_triage": 50}
    assert book.revisions.in_use is not None


class MovingDetector(Crystals):
    """Hits of the first and the second half of the run fit best with geometries of their own."""

    def work(self, task):
        report = super().work(task)
        if task.kind == "process" and report.lattices:
            wanted = "first" if int(task.name[-3:]) < 75 else "second"
            rmsd_px = 0.1 if task.more == wanted else 0.5
            report.lattices = [msgspec.structs.replace(x, rmsd_px=rmsd_px) for x in report.lattices]
        return report


def test_a_detector_that_moves_is_followed_at_the_end_of_the_run():
    engine, finder = MovingDetector(hits(150)), Finder()
    halves = {f"hit_{k:03d}": "first" if k < 75 else "second" for k in range(150)}
    book = GeometryBook()

    def follow():
        chosen = [x for x in book.results.values() if int(x.name[-3:]) % 6 == 0]
        return Proposal("halves", "The distance increases.", 125, "drift"), chosen

    def more(one):
        return lambda frame: "" if one is None else halves[frame.path[6:-4]]

    finder.rules = lambda settings=GIVEN: GeometryRules(finder.search, finder.refine, follow, more, None, settings)
    _run(engine, finder, book=book)
    (told,) = book.told
    assert (told.method, told.proof.is_better, told.proof.n_hits) == ("drift", True, 25)
    assert {x.lattices[0].rmsd_px for x in book.results.values()} == {0.1}
    assert book.revisions.is_drift_checked


def test_a_geometry_is_better_if_it_integrates_more_or_fits_better_or_brings_cells_nearer():
    def tried(n, n_indexed=100, rmsd_px=0.3, stretched=1.0):
        cell = (*(x * stretched for x in TETRAGONAL[:3]), 90.0, 90.0, 90.0)
        return [Tried(True, n_indexed, rmsd_px, cell)] * n + [Tried(False)] * (24 - n)

    def is_better(before, after, method="refinement", **options):
        return compare(method, before, after, TETRAGONAL, **options).is_better

    assert not is_better(tried(20), tried(20))
    assert is_better(tried(20), tried(20, rmsd_px=0.25))
    assert is_better(tried(20), tried(20, n_indexed=110))
    assert is_better(tried(20, stretched=1.01), tried(20, stretched=1.0005))
    assert not is_better(tried(20), tried(18, rmsd_px=0.2)), "two hits are lost"
    assert not is_better(tried(20), tried(20, n_indexed=50, rmsd_px=0.2)), "half of the spots are lost"
    assert is_better(tried(20), tried(20, n_indexed=80, rmsd_px=0.15)), "noise was indexed before"
    assert not is_better(tried(20), tried(20, rmsd_px=0.298))
    assert is_better(tried(20), tried(20, rmsd_px=0.298), again=True)
    assert not is_better(tried(20), tried(20, rmsd_px=0.301), again=True)
    assert is_better(tried(2), tried(20), "search")
    assert not is_better(tried(2), tried(8), "search"), "most hits have no lattice"
