"""Lattices that chance would find in any spots."""

import pytest

from iota.engine.stills.chance import may_be_chance

TOLERANCE = 0.3


@pytest.mark.parametrize(
    ("n_indexed", "n_spots", "rmsd_px", "spacing_px", "cell_is_known", "is_chance"),
    [
        # ice without a crystal, as measured with DIALS 3.12
        (25, 179, 1.76, 15.2, False, True),
        (10, 179, 0.59, 10.5, False, True),
        (29, 179, 1.24, 8.4, False, True),
        (28, 169, 0.81, 3.7, False, True),
        (41, 192, 2.0, 12.0, True, True),
        # the same ice with a crystal
        (143, 401, 0.08, 12.0, False, False),
        (165, 361, 0.12, 12.0, False, False),
        # few spots, nearly all indexed; one of several lattices; a known cell on a few spots of many
        (14, 15, 0.8, 10.0, False, False),
        (60, 300, 0.3, 15.0, False, False),
        (12, 150, 0.2, 12.0, True, False),
    ],
)
def test_few_and_loose_is_chance(n_indexed, n_spots, rmsd_px, spacing_px, cell_is_known, is_chance):
    assert may_be_chance(n_indexed, n_spots, rmsd_px, spacing_px, TOLERANCE, cell_is_known) is is_chance
