"""Determination and coordination with a made-up engine: what it does to a frame depends on the frame alone."""

import copy
import random

import pytest
from made_up_engine import (
    CUBIC,
    DOUBLED,
    TETRAGONAL,
    TRIED,
    Beam,
    Book,
    Crystals,
    Killed,
    Threads,
    batches_of,
    blanks,
    essence,
    hits,
    noisy,
)

from iota.crystallography.lattices import is_same_lattice, niggli_cell
from iota.processing.coordinator import Coordinator
from iota.processing.determination import DeterminationRules, best_group
from iota.records import FrameRef, Scouted, Settings
from iota.runs.determination import Determination
from iota.runs.sampling import scouting_key


def _run(crystals, *, n_processes=3, seed=0, shuffle=None, determination=None, book=None, finished=None, **rules):
    names = sorted(crystals)
    if shuffle is not None:
        random.Random(shuffle).shuffle(names)
    frames = [FrameRef(f"/data/{name}.cbf") for name in names]
    book, engine = book or Book(), Crystals(crystals)
    rules = DeterminationRules(
        settings_to_try=TRIED,
        with_lattice=lambda label, cell, group: Settings(label, " ".join(map(str, cell))),
        **rules,
    )
    workers = Threads(engine.work, n_processes, seed)
    name_of = dict(zip(frames, names, strict=True)).__getitem__
    Coordinator(frames, name_of, workers, book, tuple(TRIED), rules, determination, finished).run()
    assert set(book.results) == set(frames), "a frame has no record"
    return book, engine


def test_a_lattice_is_determined_and_used_for_every_frame():
    book, engine = _run(hits(30) | blanks(20))
    (lattice,) = book.lattices
    assert (lattice.bravais, lattice.space_group) == ("tP", "P 4 2 2")
    assert lattice.unit_cell == pytest.approx(TETRAGONAL, rel=0.005)
    outcomes = [r.outcome for r in book.results.values()]
    assert outcomes.count("integrated") == 30
    assert outcomes.count("failed_triage") == 20
    assert {r.settings for r in book.results.values() if r.lattices} == {lattice.label}
    assert len({name for kind, name in engine.asked if kind == "scout"}) == 6


@pytest.mark.parametrize("seed", range(4))
def test_the_result_depends_neither_on_order_nor_on_the_number_of_workers(seed):
    crystals = (
        hits(14, number=2)
        | blanks(30)
        | hits(9, number=1, wrong=DOUBLED, prefix="odd")
        | hits(5, CUBIC, prefix="other")
    )
    reference, _ = _run(crystals)
    book, _ = _run(crystals, n_processes=seed + 1, seed=seed, shuffle=seed)
    assert book.lattices == reference.lattices
    for frame, result in reference.results.items():
        other = book.results[frame]
        assert (other.outcome, other.settings, other.lattices) == (result.outcome, result.settings, result.lattices)


def test_a_majority_of_super_cells_does_not_win_over_the_true_cell():
    # most frames come out doubled on the cheap settings; the true cell explains their spots as well
    book, _ = _run(hits(4, number=0) | hits(8, number=2, wrong=DOUBLED, prefix="odd"), min_agreement=4)
    assert book.lattices[0].bravais == "tP"
    assert {r.outcome for r in book.results.values()} == {"integrated"}


def test_of_two_large_groups_the_one_goes_first_of_which_other_frames_have_multiples():
    halved, tripled, quadrupled = ((*x, 152.2, 90, 90, 90) for x in ((29.2, 58.4), (58.4, 175.2), (116.8, 116.8)))
    cells = [halved] * 5 + [TETRAGONAL] * 4 + [DOUBLED] * 2 + [tripled, quadrupled]
    reports = [
        Scouted(frame=FrameRef(f"/x/{k}"), name=str(k), settings="first", unit_cell=noisy(cell, k), n_indexed=90)
        for k, cell in enumerate(cells)
    ]
    assert sorted(best_group(reports, needed=4).members) == ["5", "6", "7", "8"]
    smaller = best_group(reports, needed=5)  # multiples do not make a group large enough
    assert sorted(smaller.members) == ["0", "1", "2", "3", "4"]


def test_a_second_crystal_form_is_determined_from_what_the_first_does_not_explain():
    book, _ = _run(hits(20) | hits(12, CUBIC, prefix="other"))
    assert sorted(lattice.bravais for lattice in book.lattices) == ["cP", "tP"]
    assert {r.outcome for r in book.results.values()} == {"integrated"}
    by_form = {r.settings for frame, r in book.results.items() if "other" in frame.path}
    assert by_form == {lattice.label for lattice in book.lattices if lattice.bravais == "cP"}


def test_a_form_that_the_first_lattice_indexes_but_cannot_integrate_is_determined(monkeypatch):
    """Axes that differ by some per cent pass as one lattice when it is given, but predictions miss the spots."""
    work = Crystals.work

    def strict(self, task):
        report = work(self, task)
        if task.kind == "process" and report.outcome == "integrated":
            used = next(settings for settings in task.settings if settings.label == report.settings)
            known, own = sorted(map(float, used.phil.split()[:3])), sorted(self.frames[task.name][1][:3])
            if max(abs(a / b - 1) for a, b in zip(known, own, strict=True)) > 0.01:
                return self._result(task, "failed_integration")
        return report

    monkeypatch.setattr(Crystals, "work", strict)
    distorted = (57.0, 59.8, 152.2, 90.0, 90.0, 90.0)
    assert is_same_lattice(niggli_cell(distorted), niggli_cell(TETRAGONAL))
    book, _ = _run(hits(30) | hits(8, distorted, prefix="other"))
    assert sorted(lattice.bravais for lattice in book.lattices) == ["oP", "tP"]
    assert {r.outcome for r in book.results.values()} == {"integrated"}
    again, engine = _run(hits(30) | hits(8, distorted, prefix="other"), shuffle=3, n_processes=1)
    assert again.results == book.results
    assert sorted(name for kind, name in engine.asked if kind == "process" and "hit" in name) == sorted(hits(30))


def test_frames_that_never_agree_are_processed_with_settings_in_turn():
    rng = random.Random(4)
    crystals = {
        f"hit_{k:03d}": ("hit", (*(rng.uniform(40, 200) for _ in range(3)), 90.0, 90.0, 90.0), 1, None)
        for k in range(15)
    }
    book, engine = _run(crystals, max_frames=12)
    assert book.lattices == []
    assert {r.settings for r in book.results.values()} == {"second"}
    assert len({name for kind, name in engine.asked if kind == "scout"}) == 12


@pytest.mark.parametrize(("n_hits", "n_determined"), [(1, 0), (2, 1), (3, 1)])
def test_few_hits_are_enough_when_they_agree_but_never_one(n_hits, n_determined):
    book, _ = _run(hits(n_hits, number=0) | blanks(5))
    assert len(book.lattices) == n_determined
    assert [r.outcome for r in book.results.values()].count("integrated") == n_hits


def test_blanks_alone_end_without_a_lattice():
    book, engine = _run(blanks(9))
    assert book.lattices == []
    assert {kind for kind, _ in engine.asked} == {"screen"}


def test_a_lattice_that_is_known_already_is_not_determined_again():
    first, _ = _run(hits(10))
    book, engine = _run(hits(10) | blanks(2), determination=Determination(first.lattices))
    assert book.lattices == []
    assert {kind for kind, _ in engine.asked} == {"process"}
    assert {r.settings for r in book.results.values() if r.lattices} == {first.lattices[0].label}


def test_the_scouting_order_does_not_depend_on_folders():
    names = [f"img_{k}.cbf" for k in range(50)]
    orders = [
        [f.path.rsplit("/", 1)[1] for f in sorted((FrameRef(f"{folder}/{n}") for n in names), key=scouting_key)]
        for folder in ("/a", "/b/c")
    ]
    assert orders[0] == orders[1] != names


def test_a_worker_that_dies_costs_its_frame_only():
    crystals = Crystals(hits(8))

    def work(task):
        if task.name == "hit_003" and task.kind == "process":
            raise RuntimeError("Abnormal termination")
        return crystals.work(task)

    frames = [FrameRef(f"/data/{name}.cbf") for name in crystals.frames]
    book = Book()
    Coordinator(frames, lambda frame: frame.path[6:-4], Threads(work, 2, 0), book, (TRIED[2],)).run()
    outcomes = {frame.path[-7:-4]: r.outcome for frame, r in book.results.items()}
    assert outcomes.pop("003") == "crashed"
    assert set(outcomes.values()) == {"integrated"}
    assert "Abnormal termination" in book.results[frames[3]].reason


@pytest.mark.parametrize("seed", range(20))
def test_a_run_killed_at_any_moment_and_resumed_is_as_if_nothing_had_happened(seed):
    crystals = (
        hits(25, number=1)
        | blanks(30)
        | hits(9, CUBIC, prefix="other")
        | hits(3, (31, 44, 57, 90, 90, 90), 3, prefix="bad")
    )
    reference, _ = _run(crystals)
    book = Book(entries=random.Random(seed).randrange(len(crystals) + 2))
    n_kills = 0
    while True:
        finished = {frame: result.outcome for frame, result in book.results.items()}
        try:
            _, engine = _run(
                crystals,
                n_processes=1 + seed % 3,
                seed=seed,
                book=book,
                finished=finished,
                determination=copy.deepcopy(book.determination),  # before the kill, in the book only
            )
            break
        except Killed:
            n_kills += 1
            book.entries = random.Random(seed + 1000 * n_kills).randrange(1, 20)
    assert n_kills > 0
    assert book.lattices == reference.lattices
    assert {f: essence(r) for f, r in book.results.items()} == {f: essence(r) for f, r in reference.results.items()}
    processed = {name for kind, name in engine.asked if kind == "process"}
    assert not processed & {frame.path[6:-4] for frame in finished}, "a finished frame was processed again"


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_frames_that_come_again_are_recorded_once(seed, newest_first):
    crystals = hits(20) | blanks(50)
    batches = batches_of(crystals, seed)
    frames = [frame for batch in batches for frame in batch]
    book, engine = Book(), Crystals(crystals)
    feed = Beam(batches, moved=frames[::5], gone=frames[1::7])
    rules = DeterminationRules(
        settings_to_try=TRIED,
        with_lattice=lambda label, cell, group: Settings(label, " ".join(map(str, cell))),
    )
    words = {"feed": feed, "newest_first": newest_first}
    pool = Threads(engine.work, 2, seed)
    Coordinator([], lambda frame: frame.path[6:-4], pool, book, tuple(TRIED), rules, **words).run()
    assert len(book.results) == len(crystals)
    assert feed.n_brought == len(crystals) + len(frames[::5])
    assert [r.outcome for r in book.results.values()].count("failed_triage") == 50


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_frames_that_arrive_while_the_run_goes_on_are_processed_once(seed, newest_first):
    crystals = hits(20) | blanks(50) | hits(4, CUBIC, prefix="other")
    book, engine, feed = Book(), Crystals(crystals), Beam(batches_of(crystals, seed))
    rules = DeterminationRules(
        settings_to_try=TRIED,
        with_lattice=lambda label, cell, group: Settings(label, " ".join(map(str, cell))),
    )
    Coordinator(
        [],
        lambda frame: frame.path[6:-4],
        Threads(engine.work, 2, seed),
        book,
        tuple(TRIED),
        rules,
        feed=feed,
        newest_first=newest_first,
    ).run()
    assert len(book.results) == len(crystals) == feed.n_brought
    outcomes = [r.outcome for r in book.results.values()]
    assert outcomes.count("failed_triage") == 50
    assert outcomes.count("integrated") == 20
    assert [lattice.bravais for lattice in book.lattices] == ["tP"]


def test_newest_hits_come_first_when_more_arrives_than_can_be_processed():
    crystals = hits(30, number=0)
    engine, book = Crystals(crystals), Book()
    frames = [FrameRef(f"/data/{name}.cbf") for name in crystals]
    feed = Beam([frames[:10], frames[10:20], frames[20:]])
    Coordinator(
        [], lambda frame: frame.path[6:-4], Threads(engine.work, 1, 0), book, (TRIED[0],), feed=feed, newest_first=True
    ).run()
    processed = [name for kind, name in engine.asked if kind == "process"]
    assert len(processed) == 30
    assert processed[-1] < processed[0]
    screened_first = [kind for kind, _ in engine.asked][:10]
    assert screened_first.count("screen") >= 9
