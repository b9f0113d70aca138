"""The settings file that is in force, its text, and the files that etltctl ships."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from etltctl.errors import ConfigurationError

FILE = "etltctl.toml"
PACKAGE = Path(__file__).parents[1]


def find_file(named: Path | None, environ: Mapping[str, str], directory: Path) -> Path | None:
    """Return the settings file: `named`, that of ETLTCTL_CONFIG, or the nearest at or above `directory`.

    Returns:
        The file's whole path; None if none is named and none is found.

    Raises:
        ConfigurationError: The file that is named is not there.
    """
    named = named or (Path(text) if (text := environ.get("ETLTCTL_CONFIG")) else None)
    if named is not None:
        if not named.is_file():
            hint = "name an existing file with -c or ETLTCTL_CONFIG, or none at all"
            raise ConfigurationError(f"there is no settings file {named}", hint=hint)
        return named.resolve()
    # Resolved first, or `..` and links would lead past folders that are above in the tree.
    here = directory.resolve()
    return next((file for folder in (here, *here.parents) if (file := folder / FILE).is_file()), None)


def state_place(state: str, file: Path | None) -> str:
    """Return the state of a settings file: a folder counts from the file, so that it is one folder wherever one works.

    Args:
        state: The value in the file, or the one that applies without it.
        file: The settings file; None if there is none. Then the folder counts from the working folder.

    Returns:
        The same text where that is right already; else a whole path.
    """
    if file is None or "://" in state or Path(state).is_absolute() or file.parent == Path.cwd():
        return state
    return str(file.parent / state)


def read_text(file: Path) -> str:
    """Return the file's text. Editors on Windows put a byte order mark in front, which is not part of it."""
    return file.read_text("utf-8-sig")


def project_file(relative: str) -> Path:
    """Return a shipped file: inside an installed package, or in the checkout that an editable install points at."""
    # The wheel has the shipped files inside the package; a checkout has them at its root.
    installed = PACKAGE / "_project" / relative
    return installed if installed.exists() else PACKAGE.parents[1] / relative
