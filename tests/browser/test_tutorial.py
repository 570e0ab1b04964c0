"""The tutorial in the browser, step by step, on a part of its images."""

import os

import pytest
from tutorial_steps import Tour, walk

N_IMAGES = int(os.environ.get("IOTA_TUTORIAL_IMAGES", "60"))


@pytest.mark.slow
def test_the_18_steps_of_the_tutorial(start_server, open_page, picture, tmp_path):
    def take(name, page_or_part, height=None):
        if hasattr(page_or_part, "goto"):
            picture(page_or_part, f"tutorial-{name}")

    facts = walk(Tour(tmp_path / "iota_tutorial", N_IMAGES, start_server, open_page, take))
    print(facts)
    n_integrated = facts["run_1"]["integrated"], facts["run_2"]["integrated"]
    assert 0 < n_integrated[1] <= n_integrated[0]
