"""The keys of a bucket, read from its folders in the order in which S3 lists them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

IsMarker = Callable[[str, Path], bool]


def keys_below(folder: Path, below: str, after: str, is_marker: IsMarker) -> Iterator[str]:
    """Iterate over the keys of a folder; folders that lie before `after` are not opened.

    Args:
        folder: where to begin.
        below: the key of this folder: empty for a bucket, else with `/` at its end.
        after: only keys beyond this one.
        is_marker: whether a folder is an object itself.
    """
    if below > after and is_marker(below, folder):
        yield below
    for name in _names(folder):
        key = below + name
        if not name.endswith("/"):
            if key > after:
                yield key
        elif key > after or after.startswith(key):
            yield from keys_below(folder / name, key, after, is_marker)


def _names(folder: Path) -> list[str]:
    """Return the files and folders of a folder, folders with `/`.

    Symbolic links and names that are not UTF-8 cannot be objects.
    """
    try:
        with os.scandir(folder) as entries:
            names = [
                e.name + "/" if e.is_dir(follow_symlinks=False) else e.name
                for e in entries
                if e.is_dir(follow_symlinks=False) or e.is_file(follow_symlinks=False)
            ]
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return []
    return sorted((name for name in names if _is_utf8(name)), key=str.encode)


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
