"""The page of one run."""

import pytest
from made_runs import blank, made_run


@pytest.mark.parametrize(("n_reasons", "words"), [(41, "and 1 more reason,"), (42, "and 2 more reasons,")])
async def test_reasons_beyond_the_most_that_are_shown_are_counted(visit, tmp_path, n_reasons, words):
    results = [blank(k) for k in range(n_reasons)]
    for k, result in enumerate(results):
        result.reason = "A reason of its own: " + "x" * (k + 1)  # numbers in reasons do not tell them apart
    made_run(tmp_path, results)
    user = await visit(tmp_path)
    await user.open("/run/001?tab=why")
    await user.should_see(words, retries=100)
