"""Files that are written whole or not at all, so that a reader never sees half of one."""

from __future__ import annotations

import os
from pathlib import Path
from threading import get_ident


def write_atomically(file: Path, content: str | bytes) -> None:
    """Write the file, in place of one that is there; folders above it are made.

    The content goes to a file next to it, which then takes its name in one step. Two writers never share that file,
    so the last one wins with a whole file. A process that is killed leaves at most a hidden file that ends in `.new`.

    Args:
        file: The file to write.
        content: Its content; text is written as UTF-8.

    Raises:
        OSError: The file cannot be written. What was there before is untouched.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    written = file.with_name(f".{file.name}.{os.getpid()}-{get_ident()}.new")
    try:
        # The new file has the rights that the umask leaves, as one written in place would have.
        written.write_bytes(content.encode() if isinstance(content, str) else content)
        written.replace(file)
    except BaseException:
        written.unlink(missing_ok=True)
        raise
