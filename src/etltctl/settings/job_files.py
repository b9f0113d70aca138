"""The files that a project's settings name: those of the project itself, and those that etltctl ships."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from etltctl.settings.files import project_file


def own_or_shipped(folder: Path, relative: str) -> Path:
    """Return a file of the project; the shipped one if the project has none of that name.

    Args:
        folder: The project's folder.
        relative: The file's path in it.
    """
    own, shipped = folder / relative, project_file(relative)
    return shipped if shipped.is_file() and not own.is_file() else own


def files_next_to(folder: Path, script: str, scripts: Iterable[str]) -> list[Path]:
    """List the modules and data files next to a job's script.

    A file of the project comes before the shipped file of the same name, as it does for scripts. The script of a
    job is never in the list, so no shipped script can replace the project's.

    Args:
        folder: The project's folder.
        script: The job's script, as the settings name it.
        scripts: The scripts of all jobs.

    Returns:
        The files, one a name, sorted by name.
    """
    # `glue_jobs/../glue_jobs/a.py` names the same script as `glue_jobs/a.py`.
    path = Path(os.path.normpath(script))
    of_jobs = {Path(os.path.normpath(each)) for each in scripts}
    # Later places win below, so that the project's folder comes last.
    places = [folder / path.parent]
    shipped = project_file(str(path))
    if shipped.is_file():  # the project's own version may import shipped modules
        places.insert(0, shipped.parent)
    files = {file.name: file for place in places for kind in ("*.py", "*.json") for file in place.glob(kind)}
    return [
        files[name]
        for name in sorted(files)
        if path.parent / name not in of_jobs and name != "__init__.py" and files[name].is_file()
    ]
