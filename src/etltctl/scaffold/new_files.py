"""Files of a project that are written together or not at all, and never over a file that is there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from etltctl.errors import ConfigurationError, NextStep, UsageError, command


def write_together(folder: Path, files: Mapping[str, str]) -> list[Path]:
    """Write new files into a folder, which is made if it does not exist.

    Args:
        folder: The folder.
        files: The text of each file by its place in the folder.

    Returns:
        The files, in the order in which they were written.

    Raises:
        UsageError: A file exists already. Nothing was written.
        ConfigurationError: The folder cannot be written. Nothing stays of it.
    """
    existing = [name for name in files if (folder / name).exists()]
    if existing:
        raise UsageError(
            f"{folder} already has {', '.join(existing)}; nothing was written",
            hint=NextStep("name another folder: ", command("init", "DIR"), "; or move those files away"),
        )
    written: list[Path] = []
    try:
        for name, text in files.items():
            _write(folder / name, text, written)
    except OSError as error:
        remove(written)
        raise ConfigurationError(
            f"cannot write {folder}: {error.strerror}; nothing was written", hint="name another folder"
        ) from error
    return [path for path in written if path.is_file()]


def remove(written: list[Path]) -> None:
    """Remove files and the folders that were made for them."""
    # Backwards: a folder is empty only after its files are gone.
    for path in reversed(written):
        path.rmdir() if path.is_dir() else path.unlink()


def _write(file: Path, text: str, written: list[Path]) -> None:
    """Write a new file. It and the folders made for it are added to `written`, so that they can be removed again."""
    for folder in reversed([parent for parent in file.parents if not parent.exists()]):
        folder.mkdir()
        written.append(folder)
    # Refuses a file that came into being since the check, instead of writing over it.
    with file.open("x", encoding="utf-8") as stream:
        written.append(file)
        stream.write(text)
