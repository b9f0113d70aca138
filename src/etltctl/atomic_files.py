"""Files that are written whole or not at all, so that a reader never sees half of one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import get_ident
from typing import BinaryIO


@contextmanager
def atomic_file(file: Path) -> Iterator[BinaryIO]:
    """Yield a stream of bytes for the file, in place of one that is there; folders above it are made.

    The bytes go to a file next to it, which takes its name in one step when the block ends without an error. Two
    writers never share that file, so the last one wins with a whole file. A process that is killed leaves at most a
    hidden file that ends in `.new`. A link keeps pointing to its file, which gets the bytes. A device or a pipe gets
    them directly, because a file must not take its place.

    Args:
        file: The file to write.

    Raises:
        OSError: The file cannot be written. What was there before is untouched.
    """
    file = Path(os.path.realpath(file))
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.exists() and not file.is_file():
        with file.open("wb") as stream:
            yield stream
        return
    written = file.with_name(f".{file.name}.{os.getpid()}-{get_ident()}.new")
    try:
        # The new file has the rights that the umask leaves, as one written in place would have.
        with written.open("wb") as stream:
            yield stream
        written.replace(file)
    except BaseException:
        written.unlink(missing_ok=True)
        raise


def write_atomically(file: Path, content: str | bytes) -> None:
    """Write the file as `atomic_file` does.

    Args:
        file: The file to write.
        content: Its content; text is written as UTF-8.

    Raises:
        OSError: The file cannot be written. What was there before is untouched.
    """
    with atomic_file(file) as stream:
        stream.write(content.encode() if isinstance(content, str) else content)
