"""Single files of the lake's folder: whether one is still the same, its time, and its MD5."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path

COPY_BYTES = 1 << 20
EMPTY_MD5 = hashlib.md5(b"", usedforsecurity=False).hexdigest()
CLOCK_STEP_NS = 10**9  # far more than the step of any file system's clock


def is_still(path: Path, stat: os.stat_result) -> bool:
    """Return whether the path leads to the same unchanged file."""
    try:
        now = path.stat()
    except OSError:
        return False
    return (now.st_ino, now.st_size, now.st_mtime_ns) == (stat.st_ino, stat.st_size, stat.st_mtime_ns)


def set_distinct_time(written: Path, target: Path) -> os.stat_result:
    """Give the written file another time than the file that it replaces, so that cached facts of the two differ.

    Linux counts a file's time in steps of some milliseconds, so that two quick writes may have the same.
    """
    stat = written.stat()
    with suppress(OSError):
        old = target.stat().st_mtime_ns
        if 0 <= old - stat.st_mtime_ns < CLOCK_STEP_NS:
            os.utime(written, ns=(stat.st_atime_ns, old + 1))
            stat = written.stat()
    return stat


def file_md5(path: Path) -> str:
    """Return the MD5 of the file in hexadecimal, which is what S3 calls the ETag of a simple object."""
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as stream:
        while chunk := stream.read(COPY_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
