"""Buckets as folders and objects as files; what a file cannot hold (metadata, ETag) lies in a folder beside."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import IO

from etltctl.local.wire import AwsError

COPY_BYTES = 1 << 20


@dataclass(frozen=True)
class ObjectInfo:
    """One object without its bytes; size in bytes, times in UTC."""

    key: str
    size: int
    etag: str
    last_modified: datetime
    metadata: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "binary/octet-stream"


@dataclass(frozen=True)
class _Kept:
    """What is kept beside a file, valid while the file is the one it was written for."""

    etag: str
    size: int
    mtime_ns: int
    metadata: Mapping[str, str]
    content_type: str


class S3Directory:
    """S3 in a folder. Errors are AwsError with S3's own codes.

    A file that somebody else wrote into the folder is an object as well. A key cannot be an object and a folder of
    objects at once, which real S3 allows.
    """

    def __init__(self, root: Path, meta_root: Path) -> None:
        self._root = root.resolve()
        self._meta = meta_root.resolve()
        self._scratch = self._meta / ".scratch"
        self._conditional = Lock()
        shutil.rmtree(self._scratch, ignore_errors=True)
        for folder in (self._root, self._scratch):
            folder.mkdir(parents=True, exist_ok=True)

    # buckets

    def create_bucket(self, bucket: str) -> None:
        """Makes the bucket unless it is there."""
        self.path(bucket).mkdir(exist_ok=True)

    def delete_bucket(self, bucket: str) -> None:
        """Removes an empty bucket."""
        if self.list_objects(bucket):
            raise AwsError("BucketNotEmpty", "The bucket you tried to delete is not empty", 409)
        shutil.rmtree(self.path(bucket))
        shutil.rmtree(self.configuration_file(bucket, ""), ignore_errors=True)

    def buckets(self) -> list[str]:
        """Every bucket, sorted."""
        return sorted(entry.name for entry in self._root.iterdir() if entry.is_dir())

    def has_bucket(self, bucket: str) -> bool:
        """Whether the bucket exists."""
        return self.path(bucket).is_dir()

    def configuration_file(self, bucket: str, name: str) -> Path:
        """Where a configuration of the bucket is kept."""
        self.path(bucket)  # refuses a name that leads elsewhere
        return self._meta / ".configurations" / bucket / name

    # objects

    def path(self, bucket: str, key: str = "") -> Path:
        """Where the object lies on disk; refuses a name that would lead out of the bucket."""
        parts = key.split("/")
        if (
            not bucket
            or "/" in bucket
            or bucket.startswith(".")
            or ".." in parts
            or "." in parts
            or "\0" in key
        ):
            raise AwsError("InvalidArgument", f"the embedded S3 cannot keep s3://{bucket}/{key}")
        return self._root / bucket / key

    def put_object(
        self,
        bucket: str,
        key: str,
        body: bytes,
        *,
        metadata: Mapping[str, str] | None = None,
        content_type: str = "binary/octet-stream",
        if_none_match: bool = False,
    ) -> ObjectInfo:
        """Writes the object at once and whole; `if_none_match` refuses to replace one."""
        with self.scratch_file() as (path, stream):
            stream.write(body)
            stream.close()
            return self.adopt_file(
                bucket, key, path, metadata=metadata, content_type=content_type, if_none_match=if_none_match
            )

    @contextmanager
    def scratch_file(self) -> Iterator[tuple[Path, IO[bytes]]]:
        """A file on the lake's own disk to write a body to before it becomes an object."""
        descriptor, name = tempfile.mkstemp(dir=self._scratch)
        path = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                yield path, stream
        finally:
            path.unlink(missing_ok=True)

    def adopt_file(
        self,
        bucket: str,
        key: str,
        written: Path,
        *,
        etag: str = "",
        metadata: Mapping[str, str] | None = None,
        content_type: str = "binary/octet-stream",
        if_none_match: bool = False,
        if_match: str = "",
    ) -> ObjectInfo:
        """Makes the written file the object, in one rename; `etag` is its MD5 unless given.

        `if_none_match` refuses to replace an object, `if_match` to replace any but the one with this ETag.
        """
        self._check_bucket(bucket)
        target = self.path(bucket, key)
        if key.endswith("/"):
            return self._make_folder(key, target)
        etag = etag or file_md5(written)
        with self._conditional:
            if if_match and self.head_object(bucket, key).etag != if_match:
                raise AwsError(
                    "PreconditionFailed", "At least one of the pre-conditions you specified did not hold", 412
                )
            if if_none_match and target.is_file():
                raise AwsError(
                    "PreconditionFailed", "At least one of the pre-conditions you specified did not hold", 412
                )
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                written.chmod(0o644)
                stat = written.stat()
                self._keep(
                    bucket, key, _Kept(etag, stat.st_size, stat.st_mtime_ns, metadata or {}, content_type)
                )
                written.rename(target)
            except (NotADirectoryError, IsADirectoryError, FileExistsError) as error:
                raise AwsError(
                    "InvalidArgument",
                    f"the embedded S3 cannot hold {key} beside a key below or above it",
                    409,
                ) from error
        return self.head_object(bucket, key)

    def get_object(self, bucket: str, key: str, start: int | None = None, stop: int | None = None) -> bytes:
        """The object's bytes from `start` up to, not including, `stop`."""
        self.head_object(bucket, key)
        with self.path(bucket, key).open("rb") as stream:
            stream.seek(start or 0)
            return stream.read(-1 if stop is None else max(stop - (start or 0), 0))

    def head_object(self, bucket: str, key: str) -> ObjectInfo:
        """The object without its bytes; raises AwsError NoSuchKey."""
        self._check_bucket(bucket)
        path = self.path(bucket, key)
        if not path.is_file():
            raise AwsError("NoSuchKey", "The specified key does not exist.", 404)
        return self._info(bucket, key, path)

    def list_objects(self, bucket: str, prefix: str = "") -> list[ObjectInfo]:
        """Every object whose key begins with the prefix, sorted by key."""
        return self.look_at(bucket, self.list_keys(bucket, prefix))

    def look_at(self, bucket: str, keys: Iterable[str]) -> list[ObjectInfo]:
        """These objects, without those that are gone since they were listed."""
        found = []
        for key in keys:
            with suppress(FileNotFoundError):
                found.append(self._info(bucket, key, self.path(bucket, key)))
        return found

    def list_keys(self, bucket: str, prefix: str = "", after: str = "") -> Iterator[str]:
        """The key of every object that begins with the prefix, in order, from the first beyond `after` on."""
        self._check_bucket(bucket)
        below = prefix.rpartition("/")[0]
        folder = self.path(bucket, below) if below else self.path(bucket)
        return (key for key in _keys(folder, f"{below}/" if below else "", after) if key.startswith(prefix))

    def delete_object(self, bucket: str, key: str, *, if_match: str = "") -> None:
        """Removes the object, only with this ETag if one is given; one that is not there is no error.

        Folders left empty go too.
        """
        self._check_bucket(bucket)
        if not if_match:
            self._delete(bucket, key)
            return
        with self._conditional:
            if self.path(bucket, key).is_file() and self.head_object(bucket, key).etag != if_match:
                raise AwsError(
                    "PreconditionFailed", "At least one of the pre-conditions you specified did not hold", 412
                )
            self._delete(bucket, key)

    def _delete(self, bucket: str, key: str) -> None:
        path = self.path(bucket, key)
        with suppress(FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError):
            path.unlink()
        self._meta_path(bucket, key).unlink(missing_ok=True)
        for folder in path.parents:
            if folder == self.path(bucket):
                return
            try:
                folder.rmdir()
            except OSError:
                return

    def _check_bucket(self, bucket: str) -> None:
        if not self.has_bucket(bucket):
            raise AwsError("NoSuchBucket", "The specified bucket does not exist", 404)

    def _make_folder(self, key: str, target: Path) -> ObjectInfo:
        target.mkdir(parents=True, exist_ok=True)
        return ObjectInfo(key, 0, hashlib.md5(b"", usedforsecurity=False).hexdigest(), datetime.now(UTC))

    def _info(self, bucket: str, key: str, path: Path) -> ObjectInfo:
        stat = path.stat()
        modified = datetime.fromtimestamp(stat.st_mtime, UTC)
        kept = self._kept(bucket, key)
        if kept is not None and (kept.size, kept.mtime_ns) == (stat.st_size, stat.st_mtime_ns):
            return ObjectInfo(key, stat.st_size, kept.etag, modified, kept.metadata, kept.content_type)
        return ObjectInfo(key, stat.st_size, f"{stat.st_mtime_ns:016x}{stat.st_size:016x}", modified)

    def _meta_path(self, bucket: str, key: str) -> Path:
        return self._meta / bucket / f"{key}.json"

    def _kept(self, bucket: str, key: str) -> _Kept | None:
        try:
            return _Kept(**json.loads(self._meta_path(bucket, key).read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def _keep(self, bucket: str, key: str, kept: _Kept) -> None:
        path = self._meta_path(bucket, key)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(kept)))


def _keys(folder: Path, below: str, after: str) -> Iterator[str]:
    """The keys of the files in the folder, in the order of S3; folders that lie before `after` are not opened."""
    try:
        with os.scandir(folder) as entries:
            found = sorted(((e.name + "/" if e.is_dir() else e.name) for e in entries), key=str.encode)
    except (FileNotFoundError, NotADirectoryError):
        return
    for name in found:
        key = below + name
        if not name.endswith("/"):
            if key > after:
                yield key
        elif key > after or after.startswith(key):
            yield from _keys(folder / name, key, after)


def file_md5(path: Path) -> str:
    """The MD5 of the file in hexadecimal, which is what S3 calls the ETag of a simple object."""
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as stream:
        while chunk := stream.read(COPY_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
