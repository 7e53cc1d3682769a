"""The arrows between modules: all at the top of a file, where a reader sees them, and no circle."""

import ast
import graphlib
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[2]
FOLDERS = ["decoder", "decoder/lmz_decoder", "train", "hub"]


def trees(folder):
    """The parsed files of a folder by the names of their modules."""
    return {path.stem: ast.parse(path.read_text()) for path in (SCRIPTS / folder).glob("*.py")}


def imported(node):
    """The names that an import statement takes modules by, in the folder of its file."""
    if isinstance(node, ast.ImportFrom) and node.module:
        return {node.module}
    return {alias.name for alias in node.names}


def import_statements(tree):
    return [node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]


@pytest.mark.parametrize("folder", FOLDERS)
def test_imports_are_at_the_top(folder):
    inside = [f"{name}.py:{node.lineno}" for name, tree in trees(folder).items()
              for function in ast.walk(tree)
              if isinstance(function, (ast.FunctionDef, ast.Lambda, ast.ClassDef))
              for node in import_statements(function)]
    assert inside == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_module_imports_itself_by_way_of_others(folder):
    found = trees(folder)
    arrows = {name: {m for node in import_statements(tree) for m in imported(node)} & set(found)
              for name, tree in found.items()}
    assert folder == "decoder" or any(arrows.values()), "no arrow was found"
    graphlib.TopologicalSorter(arrows).prepare()  # raises CycleError, which names the circle
