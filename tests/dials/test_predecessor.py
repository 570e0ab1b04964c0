"""The original IOTA in the same place: every command says so."""

import pytest

from iota.cli import image_viewer, run, simulate


@pytest.mark.filterwarnings("default::DeprecationWarning")  # of the viewer that DIALS brings
@pytest.mark.parametrize(
    ("module", "arguments"),
    [(simulate, ["{folder}", "-n", "0"]), (image_viewer, ["x.expt"]), (run, ["--resume", "{folder}"])],
)
def test_every_command_says_that_the_original_is_there(module, arguments, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(module, "predecessor_warning", lambda: "The original IOTA is installed here.")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "in_the_way.txt").touch()
    assert module.main([word.format(folder=tmp_path) for word in arguments]) == 2
    assert "The original IOTA is installed here." in capsys.readouterr().err
