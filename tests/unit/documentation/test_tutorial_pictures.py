"""What the check of the pictures finds."""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "browser"))
import pictures

FIGURES = {
    "spots_of_a_blank": 20,
    "run_1": {"integrated": 2, "failed_triage": 1, "failed_indexing": 1},
    "run_2": {"integrated": 1, "failed_filter": 1, "failed_integration": 1},
    "clusters_1": [["1", "3", "tP", "79"], ["2", "2", "oP", "38"]],
    "clusters_2": [["1", "1", "tP", "79"]],
    "complete_percent": {"P 1": 1.5, "P 4 2 2": 8, "P 43 21 2": 9},
}


@pytest.fixture
def documents(tmp_path, monkeypatch):
    """A folder with a page, a picture, its source and a tutorial that says what came out."""
    for name, path in (("ROOT", ""), ("IMAGES", "docs/images"), ("SOURCES", "src/iota")):
        (tmp_path / path).mkdir(parents=True, exist_ok=True)
        monkeypatch.setattr(pictures, name, tmp_path / path)
    (tmp_path / "src/iota/web").mkdir()
    monkeypatch.setattr(pictures, "MANIFEST", tmp_path / "docs/images/pictures.json")
    (tmp_path / "src/iota/web/page.py").write_text("x = 1\n")
    (tmp_path / "src/iota/web/server.py").write_text("x = 1\n")
    (tmp_path / "docs/images/a.png").write_bytes(b"a")
    said = ".\n".join(pictures.sentences_of(FIGURES))
    (tmp_path / "docs/tutorial.md").write_text(f"![a](images/a.png)\n{said}\n")
    (tmp_path / "README.md").write_text("nothing\n")
    pictures.MANIFEST.write_text(json.dumps({"pages": pictures.digest(), "figures": FIGURES}))
    return tmp_path


def test_nothing_is_wrong_with_new_pictures_also_when_what_is_not_seen_changes(documents):
    assert pictures.complaints() == []
    (documents / "src/iota/web/server.py").write_text("x = 2\n")
    assert pictures.complaints() == []


@pytest.mark.parametrize(
    ("path", "text", "words"),
    [
        ("src/iota/web/page.py", "x = 2\n", "Pages have changed since"),
        ("src/iota/web/static/new.js", "x = 2\n", "Pages have changed since"),
        ("src/iota/charts/svg.py", "x = 2\n", "Pages have changed since"),
        ("docs/images/b.png", "b", "docs/images/b.png is shown by no page"),
        ("README.md", "![b](docs/images/b.png)", "README.md shows docs/images/b.png, which is not there"),
        ("docs/images/pictures.json", None, "There is no docs/images/pictures.json"),
        ("docs/tutorial.md", "![a](images/a.png)", "does not say '2 of the 4 images are integrated'"),
    ],
)
def test_what_is_wrong_is_said(documents, path, text, words):
    (documents / path).parent.mkdir(exist_ok=True)
    if text is None:
        (documents / path).unlink()
    else:
        (documents / path).write_text(text)
    assert any(words in sentence for sentence in pictures.complaints())
