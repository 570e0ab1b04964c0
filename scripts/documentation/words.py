"""Says where pages, messages and help texts use a word that the glossary replaces by another."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
GLOSSARY = Path("src", "iota", "glossary.md")
HEADING = "## Words to avoid"
_CHECKED = ("README.md", "CONTRIBUTING.md", "docs/*.md", "src/iota/*.py", "src/iota/*.js")  # git's * spans folders
Rules = Mapping[re.Pattern[str], str]  # what is found -> what to write instead


def rules(glossary: str) -> Rules:
    """The last table of the glossary: words to avoid, and what to write instead."""
    rows = re.findall(r"^\| (.+?) \| (.+?) \|$", glossary.partition(HEADING)[2], re.MULTILINE)
    return {_pattern(word): instead for words, instead in rows[1:] for word in words.split(", ") if words != "---"}


def _pattern(words: str) -> re.Pattern[str]:
    return re.compile(r"(?<!\w)" + r"\s+".join(map(re.escape, words.split())) + r"(?!\w)", re.IGNORECASE)


def problems(root: Path = ROOT) -> Iterator[str]:
    """A sentence on each place."""
    avoided = rules((root / GLOSSARY).read_text(encoding="utf-8"))
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", *_CHECKED]
    for name in subprocess.run(listed, cwd=root, check=True, capture_output=True, text=True).stdout.splitlines():
        path = root / name
        if not path.is_file():
            continue
        content = path.read_text(encoding="utf-8")
        for line, text in _messages(content) if path.suffix == ".py" else [(1, content)]:
            for pattern, instead in avoided.items():
                for found in pattern.finditer(text):
                    at = line + text.count("\n", 0, found.start())
                    words = " ".join(found[0].split())
                    yield f"{name}:{at}: not {words!r} but {instead}."


def _messages(source: str) -> Iterator[tuple[int, str]]:
    """Line and text of the strings in a module, without its docstrings; values in a string become ``{}``."""
    tree = ast.parse(source)
    inner = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    inner |= {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}  # docstrings
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = (part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
            yield node.lineno, "".join(map(str, parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inner:
            yield node.lineno, node.value


def main() -> int:
    """Print what is wrong; returns the exit status."""
    found = list(problems())
    print(*found, sep="\n") if found else print("No page or message uses a word that the glossary avoids.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
