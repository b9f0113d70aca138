"""Python processes of etltctl's own, which import nothing from the folder and the environment they are started in."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

# The variables of Python that change neither what is imported nor what is run.
HARMLESS = frozenset(
    {
        "PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX", "PYTHONNOUSERSITE", "PYTHONUSERBASE", "PYTHONUTF8",
        "PYTHONHASHSEED",
    }
)  # fmt: skip

# The variables that a process needs to find its programs, its temporary folder, its language and its time zone.
NEEDED = frozenset({"HOME", "LANG", "LANGUAGE", "LD_LIBRARY_PATH", "PATH", "TEMP", "TMP", "TMPDIR", "TZ"})


def python_command(*arguments: str) -> list[str]:
    """Return the command that runs this Python; `-P` keeps the working folder off the import path."""
    return [sys.executable, "-P", *arguments]


def clean_environ(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for such a process: without what the user set for Python.

    A folder on PYTHONPATH may hold a module of the same name as one of Python's own. The folder of etltctl itself
    stays if etltctl was imported from there.
    """
    kept = {
        name: value for name, value in environ.items() if not name.startswith("PYTHON") or name in HARMLESS
    }
    root = str(Path(__file__).resolve().parents[3])
    named = environ.get("PYTHONPATH", "").split(os.pathsep)
    is_named = root in {str(Path(folder).resolve()) for folder in named if folder}
    return {**kept, "PYTHONPATH": root} if is_named else kept


def bare_environ(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for a process that needs no key, token or address: only what Python itself needs."""
    return {
        name: value
        for name, value in clean_environ(environ).items()
        if name in NEEDED or name.startswith(("PYTHON", "LC_"))
    }
