"""The user's path of a script in place of the path of its copy, in texts of a job run."""

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
