"""Files of a project that are written together or not at all, and never over a file that is there."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from etltctl.errors import ConfigurationError, NextStep, UsageError


def write_together(
    folder: Path, files: Mapping[str, str], *, instead: NextStep, finish: Callable[[], None] = lambda: None
) -> list[Path]:
    """Write new files into a folder, which is made if it does not exist.

    Args:
        folder: The folder.
        files: The text of each file by its place in the folder.
        instead: What to do if a file exists already, other than to move it away.
        finish: Writes what belongs to the files and is there already. If it fails, the files are removed again.

    Returns:
        The files, in the order in which they were written.

    Raises:
        UsageError: A file exists already. Nothing was written.
        ConfigurationError: The folder cannot be written, or `finish` failed. No file and no new folder stays.
    """
    existing = [name for name in files if (folder / name).exists()]
    if existing:
        raise UsageError(
            f"{folder} already has {', '.join(existing)}; nothing was written",
            hint=NextStep(*instead.parts, "; or move those files away"),
        )
    written: list[Path] = []
    try:
        for name, text in files.items():
            _write(folder / name, text, written)
        finish()
    except ConfigurationError:
        _remove(written)
        raise
    except OSError as error:
        _remove(written)
        raise ConfigurationError(
            f"cannot write {folder}: {error.strerror}; nothing was written",
            hint="check that you may write to this folder, and that its disk has space",
        ) from error
    return [path for path in written if path.is_file()]


def append(file: Path, before: bytes, added: bytes) -> None:
    """Add to the end of a file that is as it was read. Its rights and everything that stands in it stay as they are.

    Args:
        file: The file.
        before: What it held when it was read.
        added: What comes behind that.

    Raises:
        ConfigurationError: Another program has changed the file since then. It stays as that program left it.
        OSError: The file cannot be written. It stays as it was.
    """
    # Without a buffer, which would try to write again what did not fit.
    with file.open("r+b", buffering=0) as stream:
        # Two commands at once: the second waits here, and then sees what the first has added.
        fcntl.flock(stream, fcntl.LOCK_EX)
        if stream.readall() != before:
            raise ConfigurationError(
                f"another program changed {file} at the same time; nothing was written",
                hint="run the command again",
            )
        try:
            left = memoryview(added)
            while left:
                left = left[stream.write(left) :]
        except OSError:
            stream.truncate(len(before))
            raise


def _remove(written: list[Path]) -> None:
    """Remove files and the folders that were made for them."""
    # Backwards: a folder is empty only after its files are gone.
    for path in reversed(written):
        # A folder stays if another program has put a file into it.
        with suppress(OSError):
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
