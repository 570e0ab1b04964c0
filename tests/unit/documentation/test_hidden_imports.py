"""Imports of our own modules inside functions: few, each with its reason, so that the import graph tells the truth."""

import ast
from pathlib import Path

import iota

SOURCES = Path(iota.__file__).parent
MOST = 20


def _hidden_imports():
    for path in SOURCES.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text)
        for_types = {
            id(node)
            for block in ast.walk(tree)
            if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
            for node in ast.walk(block)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                name = node.names[0].name
            elif isinstance(node, ast.ImportFrom):
                name = node.module or ""
            else:
                continue
            if name.partition(".")[0] == "iota" and node not in tree.body and id(node) not in for_types:
                yield path, node.lineno, text.splitlines()[node.lineno - 1]


def test_few_imports_are_hidden_and_each_says_why():
    found = list(_hidden_imports())
    assert 5 < len(found) <= MOST, found
    assert [line for line in found if "#" not in line[2]] == []
