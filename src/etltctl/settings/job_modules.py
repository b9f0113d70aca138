"""The modules that a Glue script imports, read from its text: nothing is imported here."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path


def imported_modules(source: bytes) -> set[str]:
    """Return the first names of the modules that a Python source imports; none if it is not valid Python."""
    tree = _tree(source)
    return set() if tree is None else set(_imported(tree))


def needed_files(script: Path, neighbours: Sequence[Path]) -> list[Path]:
    """Return the files next to a script that a run of it needs: the modules that it imports, and all that are not one.

    A module counts if the script imports it, itself or through another module, or names it in a text: it may import it
    by that. If a file cannot be read, all modules count, because no one knows what it imports.

    Args:
        script: The script, which need not be on this machine.
        neighbours: The files next to it, in the order in which they are returned.
    """
    modules = {file.stem: file for file in neighbours if file.suffix == ".py"}
    reached = [script]
    for file in reached:  # grows while it is walked
        names = _named(file)
        if names is None:
            return list(neighbours)
        reached += [path for name, path in modules.items() if name in names and path not in reached]
    return [file for file in neighbours if file.suffix != ".py" or file in reached]


def _named(file: Path) -> frozenset[str] | None:
    """Return the modules that a file may import; None if it cannot be read as Python."""
    try:
        state = file.stat()
    except OSError:
        return None
    # Every command lists the files of all jobs, and the jobs share modules: each is parsed once as it is.
    return _named_as_it_is(file, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=1000)
def _named_as_it_is(file: Path, changed: int, size: int) -> frozenset[str] | None:  # noqa: ARG001
    try:
        tree = _tree(file.read_bytes())
    except OSError:
        return None
    return None if tree is None else frozenset((*_imported(tree), *_texts(tree)))


def _tree(source: bytes) -> ast.Module | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a doubtful escape sequence stops no run
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").partition(".")[0]


def _texts(tree: ast.Module) -> Iterator[str]:
    """Yield every text of a source, as `importlib.import_module("rates")` has one."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
