"""What of a ledger must not depend on where, and how often interrupted, its frames were processed."""

from iota.runs import RunFolder, read_ledger


def essence(folder: RunFolder) -> dict:
    """Outcome, reason, settings and lattices by name of frame; fails where a frame has two records."""
    results, _ = read_ledger(folder.ledger)
    names = [result.name for result in results]
    assert len(names) == len(set(names)), "a frame has two records"
    return {
        r.name: (r.outcome, r.reason, r.settings, [(x.unit_cell, x.a_matrix, x.n_integrated) for x in r.lattices])
        for r in results
    }
