"""What tests of iota.geometry share."""

import signal

import pytest

from iota.cli.geometry import main


@pytest.fixture
def geometry(tmp_path, monkeypatch, capsys):
    """Runs the command in this process; gives exit status and what it printed."""
    monkeypatch.chdir(tmp_path)
    before = signal.getsignal(signal.SIGTERM)

    def run_it(*arguments):
        status = main(list(map(str, arguments)))
        return status, *capsys.readouterr()

    yield run_it
    signal.signal(signal.SIGTERM, before)
