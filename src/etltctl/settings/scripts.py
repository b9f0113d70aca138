"""The Glue scripts before they run: whether Python can compile them, and which modules next to them they import."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from etltctl.settings.model import Settings

# The Python of each Glue version, https://docs.aws.amazon.com/glue/latest/dg/release-notes.html
PYTHON_OF_GLUE = {"2.0": (3, 7), "3.0": (3, 7), "4.0": (3, 10), "5.0": (3, 11), "5.1": (3, 11)}


def files_of_job(settings: Settings, job: str) -> list[Path]:
    """Return the job's script and the modules next to it that it imports, directly or through one another.

    Args:
        settings: The settings.
        job: A name in `glue.jobs`.

    Returns:
        The files, the script first; none if the script is not on this machine.
    """
    script = settings.script_path(job)
    if not script.is_file():
        return []
    return [script, *(file for file in settings.extra_files(job) if file.suffix == ".py")]


def syntax_errors(settings: Settings, job: str) -> Iterator[str]:
    """Yield each syntax error of the job's script and its modules, with the setting, the file and the line.

    A script that another, newer Python runs is left alone: this Python cannot judge it.

    Args:
        settings: The settings.
        job: A name in `glue.jobs`.
    """
    python = PYTHON_OF_GLUE.get(settings.glue.jobs[job].glue_version)
    is_older = python is None or python > sys.version_info[:2]
    if is_older and not settings.environment.runs_jobs_here:
        return
    place = settings.place_of("glue", "jobs", job, "script")
    for file in files_of_job(settings, job):
        error = _syntax_error(file)
        if error is not None:
            yield f"{place}: glue.jobs.{job}.script cannot run: {error}"


def _syntax_error(file: Path) -> str | None:
    """Return what is wrong with a file, with its place; None for one that compiles."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a doubtful escape sequence stops no run
            # Compiled, not imported: a script's imports, such as awsglue, are not on this machine.
            compile(file.read_bytes(), str(file), "exec", dont_inherit=True)
    except SyntaxError as error:
        text = f": {error.text.strip()}" if error.text and error.text.strip() else ""
        return f"{file}:{error.lineno or 1}:{error.offset or 1}: {error.msg}{text}"
    except (ValueError, RecursionError, MemoryError, OSError) as error:
        return f"{file}:1:1: {error or type(error).__name__}"
    return None
