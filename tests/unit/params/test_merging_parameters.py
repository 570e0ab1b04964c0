"""Parameters of merging, which may come from a browser."""

import pytest

from iota.errors import ParameterError
from iota.params.merging import MERGING


@pytest.mark.parametrize(
    "assignment",
    [
        "d_min=__import__('os').system('touch /tmp/ran')",
        "n_shells=len(open('/etc/passwd').read())",
        "space_group=P999",
        "nonsense=1",
        "engine=rm",
    ],
)
def test_what_is_no_value_is_a_sentence_and_nothing_runs(assignment):
    with pytest.raises(ParameterError):
        MERGING.read([], [assignment])


def test_a_script_cannot_include_others(tmp_path):
    script = tmp_path / "merge.phil"
    script.write_text("include file /etc/passwd\n")
    with pytest.raises(ParameterError, match="include"):
        MERGING.read([script])
