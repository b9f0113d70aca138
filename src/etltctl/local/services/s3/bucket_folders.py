"""Buckets as folders, each with a second folder for what is configured about it, and the single files in them."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from etltctl.local.kernel.json_protocol import AwsError
from etltctl.local.services.s3.keys import locate

COPY_BYTES = 1 << 20
EMPTY_MD5 = hashlib.md5(b"", usedforsecurity=False).hexdigest()
CLOCK_STEP_NS = 10**9  # far more than the step of any file system's clock
CREATED = "-created"  # no sub-resource of S3 has such a name


class BucketFolders:
    """The buckets of one lake.

    Args:
        root: The folder of the buckets.
        meta_root: The folder of what the buckets' files cannot hold.
    """

    def __init__(self, root: Path, meta_root: Path) -> None:
        self._root = root.resolve()
        self._meta = meta_root.resolve()

    def create_bucket(self, bucket: str) -> None:
        """Make the bucket unless it exists."""
        self.path(bucket).mkdir(exist_ok=True)
        # A folder's own time changes with every file in it, so the bucket's date needs a file that nothing touches.
        created = self.configuration_file(bucket, CREATED)
        if not created.exists():
            created.parent.mkdir(parents=True, exist_ok=True)
            created.touch()

    def buckets(self) -> list[str]:
        """Return the names of all buckets, sorted."""
        with os.scandir(self._root) as entries:
            return sorted(e.name for e in entries if e.is_dir(follow_symlinks=False) and e.name[0] != ".")

    def has_bucket(self, bucket: str) -> bool:
        """Return whether the bucket exists."""
        return self.path(bucket).is_dir()

    def created(self, bucket: str) -> datetime:
        """Return when the bucket was made; of a folder that another program made, when it last changed."""
        file = self.configuration_file(bucket, CREATED)
        return datetime.fromtimestamp((file if file.exists() else self.path(bucket)).stat().st_mtime, UTC)

    def configuration_file(self, bucket: str, name: str) -> Path:
        """Return where a configuration of the bucket is kept."""
        self.path(bucket)  # refuses a name that leads elsewhere
        return self._meta / ".configurations" / bucket / name

    def path(self, bucket: str, key: str = "") -> Path:
        """Return the file of the object; a key that would lead out of the bucket is refused (see `locate`)."""
        return locate(self._root, bucket, key)

    def _check_bucket(self, bucket: str) -> None:
        if not self.has_bucket(bucket):
            raise AwsError("NoSuchBucket", "The specified bucket does not exist", 404)


def is_still(path: Path, stat: os.stat_result) -> bool:
    """Return whether the path leads to the same unchanged file."""
    try:
        now = path.stat()
    except OSError:
        return False
    # The number alone proves nothing: a file system gives it to the next file as soon as this one is deleted.
    return (now.st_ino, now.st_size, now.st_mtime_ns) == (stat.st_ino, stat.st_size, stat.st_mtime_ns)


def set_distinct_time(written: Path, target: Path) -> os.stat_result:
    """Give the written file another time than the file that it replaces, so that cached facts of the two differ.

    Linux counts a file's time in steps of some milliseconds, so that two quick writes may have the same.
    """
    stat = written.stat()
    with suppress(OSError):
        old = target.stat().st_mtime_ns
        # A file that is much older keeps its time. Only times that one tick of the clock can make equal are moved.
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
