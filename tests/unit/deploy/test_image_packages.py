"""The packages of the Airflow image: all third-party packages that etltctl's code imports there."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

PROJECT = Path(__file__).parents[3]
SOURCE = PROJECT / "src" / "etltctl"
# The embedded server, the diagnosis of its machine and the fixtures of tests do not run there. The engine of extracts,
# 300 MB, is optional (docs/tableau.md).
ELSEWHERE = ("local", "testing", "tableau/hyper.py", "diagnosis/machine.py")
# Extras of a person's own installation: data frames, and the plots of a report.
OPTIONAL = {"pandas", "vl_convert"}


def imported() -> Iterator[tuple[str, str]]:
    """Yield each third-party package that is imported, and where."""
    for file in sorted(SOURCE.rglob("*.py")):
        place = file.relative_to(SOURCE).as_posix()
        if place.startswith(ELSEWHERE) or "scaffold/files" in place:
            continue
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            for name in names:
                package = name.partition(".")[0]
                if package not in {"etltctl"} | OPTIONAL and package not in sys.stdlib_module_names:
                    yield package, place


def test_every_import_of_the_code_that_runs_in_the_image_is_in_its_list() -> None:
    """If it fails after a change of the imports, edit requirements/airflow3.in and run `make lock`."""
    text = (PROJECT / "requirements" / "airflow3.txt").read_text()
    locked = set(re.findall(r"^([\w.-]+)==", text, re.MULTILINE))
    known = packages_distributions() | {"airflow": ["apache-airflow"]}
    missing = {
        f"{package} ({place})"
        for package, place in imported()
        if not {name.lower().replace("_", "-") for name in known.get(package, [package])} & locked
    }
    assert missing == set()
    assert "tableauserverclient" in {package for package, _ in imported()}
