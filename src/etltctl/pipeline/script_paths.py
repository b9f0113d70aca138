"""The user's script behind the copy that a job run had: its path in texts of the run, and its lines."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from etltctl.settings import Settings


def own_paths(job: str, settings: Settings) -> Callable[[str], str]:
    """Return a function that puts the user's path in place of that of the copy, in a text of the job's log.

    Args:
        job: The job's name in the settings.
        settings: The settings, which name the script.
    """
    script = PurePosixPath(os.path.normpath(settings.glue.jobs[job].script))
    # The modules next to the script lie next to its copy, too.
    modules = {file.name: str(script.parent / file.name) for file in settings.extra_files(job)}
    paths: Mapping[str, str] = modules | {script.name: str(script)}
    names = "|".join(map(re.escape, paths))
    # In a traceback of Python, then in the short form that Glue and the sentence of a cause have.
    copies = re.compile(rf'(?<=File ")(?:[^"]*/)?({names})(?=")|(?<![\w.-])(?:[^\s"]*/)?({names})(?=:\d)')

    def replaced(text: str) -> str:
        return copies.sub(lambda copy: paths[copy[1] or copy[2]], text)

    return replaced


def code_of(settings: Settings) -> Callable[[str, int], str]:
    """Return a function that returns a line of a script on this machine, by the user's path and the line's number.

    Args:
        settings: The settings, from whose folder the paths count.

    Returns:
        The function. It returns an empty text if this machine has no such file or line.
    """

    def line_of(path: str, number: int) -> str:
        try:
            lines = (settings.folder / path).read_text("utf-8", errors="replace").splitlines()
        except OSError:
            return ""
        return lines[number - 1].strip() if 0 < number <= len(lines) else ""

    return line_of
