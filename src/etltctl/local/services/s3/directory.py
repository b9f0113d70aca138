"""Buckets as folders and objects as files; facts that a file cannot hold are in a second folder."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from datetime import UTC, datetime
from heapq import merge
from itertools import groupby
from pathlib import Path
from threading import Lock
from typing import IO, Any

from etltctl.local.kernel.json_protocol import AwsError
from etltctl.local.services.s3.bucket_folders import EMPTY_MD5, file_md5, is_still, set_distinct_time
from etltctl.local.services.s3.errors import shape_of_a_folder, unmet_condition
from etltctl.local.services.s3.kept import OCTETS, Description, Kept, KeptFacts, ObjectInfo
from etltctl.local.services.s3.keys import check_key, has_path, keys_below
from etltctl.local.services.s3.object_files import ObjectFiles

TRIES = 5  # of making a file in a folder that others empty and remove at the same time


class S3Directory(ObjectFiles):
    """S3 in a folder. Errors are AwsError with S3's own codes.

    A file that another program wrote into the folder is an object as well; a symbolic link is not.
    """

    def __init__(self, root: Path, meta_root: Path) -> None:
        super().__init__(root, meta_root)
        self._scratch = self._meta / ".scratch"
        self._kept = KeptFacts(self._meta, self._scratch)
        self._changing = Lock()
        # Bodies that a server left half written when it was killed. One server alone has a state folder.
        shutil.rmtree(self._scratch, ignore_errors=True)
        for folder in (self._root, self._scratch):
            folder.mkdir(parents=True, exist_ok=True)

    def delete_bucket(self, bucket: str) -> None:
        """Remove an empty bucket."""
        with self._changing:
            # Under the lock: an object that is written after this look would go with its bucket.
            if next(self.list_keys(bucket), None) is not None:
                raise AwsError("BucketNotEmpty", "The bucket you tried to delete is not empty", 409)
            shutil.rmtree(self.path(bucket), ignore_errors=True)
            shutil.rmtree(self.configuration_file(bucket, ""), ignore_errors=True)
            shutil.rmtree(self._encoded.folder(bucket), ignore_errors=True)

    def put_object(
        self,
        bucket: str,
        key: str,
        body: bytes,
        *,
        metadata: Mapping[str, str] | None = None,
        content_type: str = OCTETS,
        if_none_match: bool = False,
    ) -> ObjectInfo:
        """Write the object at once and whole; `if_none_match` refuses to replace one."""
        description = Description(content_type, metadata or {})
        with self.scratch_file() as (path, stream):
            stream.write(body)
            stream.close()
            return self.adopt_file(bucket, key, path, description=description, if_none_match=if_none_match)

    @contextmanager
    def scratch_file(self) -> Iterator[tuple[Path, IO[bytes]]]:
        """Open a file on the lake's own disk for a body that is to become an object."""
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
        description: Description | None = None,
        if_none_match: bool = False,
        if_match: str = "",
    ) -> ObjectInfo:
        """Make the written file the object, in one rename.

        Args:
            bucket: an existing bucket.
            key: the key; one that ends with `/` and has no bytes makes a folder.
            written: a file of `scratch_file`.
            etag: the ETag without quotes; the MD5 of the file if empty.
            description: what the writer says about the object.
            if_none_match: refuse to replace an object.
            if_match: replace only an object that has this ETag; `*` is any.

        Raises:
            AwsError: the key cannot be kept, or a condition does not hold.
        """
        self._check_bucket(bucket)
        check_key(bucket, key)
        etag = etag or file_md5(written)
        described = description or Description()
        # One change at a time: a condition must still hold when the file gets its name.
        with self._changing:
            if if_match and self.head_object(bucket, key).etag != if_match != "*":
                raise unmet_condition()
            if if_none_match and self._is_there(bucket, key):
                raise unmet_condition()
            with shape_of_a_folder(key):
                if key.endswith("/") and has_path(key) and not written.stat().st_size:
                    self._mark_folder(bucket, key, described)
                else:
                    self._rename(bucket, key, written, etag, described)
            return self.head_object(bucket, key)

    def describe_again(self, bucket: str, key: str, change: Callable[[Description], Description]) -> None:
        """Change what is kept about an object and leave its bytes and its ETag."""
        with self._changing:
            info = self.head_object(bucket, key)
            if self._marker(bucket, key):
                about = self.path(bucket, key).stat().st_ino
            else:
                about = self._find(bucket, key)[1].st_mtime_ns
            self._keep(bucket, key, info.etag, info.size, about, change(info.description))

    def open_object(self, bucket: str, key: str) -> tuple[IO[bytes], ObjectInfo]:
        """Open the object and describe exactly the bytes that are open, even if it is replaced meanwhile."""
        self._check_bucket(bucket)
        while True:
            if marker := self._marker(bucket, key):
                return Path(os.devnull).open("rb"), marker
            path, _ = self._find(bucket, key)
            # Another request may replace, move or delete the file before it is open: search for it again.
            with suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError):
                stream = path.open("rb")
                if described := self._described(bucket, key, path, os.fstat(stream.fileno())):
                    return stream, described
                stream.close()

    def get_object(self, bucket: str, key: str, start: int | None = None, stop: int | None = None) -> bytes:
        """Return the object's bytes from `start` up to, not including, `stop`."""
        with self.open_object(bucket, key)[0] as stream:
            stream.seek(start or 0)
            return stream.read(-1 if stop is None else max(stop - (start or 0), 0))

    def head_object(self, bucket: str, key: str) -> ObjectInfo:
        """Return the object without its bytes; raises AwsError NoSuchKey."""
        self._check_bucket(bucket)
        while True:
            if marker := self._marker(bucket, key):
                return marker
            path, stat = self._find(bucket, key)
            if described := self._described(bucket, key, path, stat):
                return described

    def list_objects(self, bucket: str, prefix: str = "") -> list[ObjectInfo]:
        """Return every object whose key begins with the prefix, sorted by key."""
        return self.look_at(bucket, self.list_keys(bucket, prefix))

    def look_at(self, bucket: str, keys: Iterable[str]) -> list[ObjectInfo]:
        """Return these objects, without those that were deleted since they were listed."""
        objects = []
        for key in keys:
            with suppress(AwsError):
                objects.append(self.head_object(bucket, key))
        return objects

    def list_keys(self, bucket: str, prefix: str = "", after: str = "") -> Iterator[str]:
        """Iterate over the keys that begin with the prefix, in order, from the first beyond `after` on."""
        self._check_bucket(bucket)
        below = prefix.rpartition("/")[0]
        encoded = self._encoded.keys(bucket, prefix, after)
        try:
            folder = self.path(bucket, below)
        except AwsError:  # no file can have such a path
            return encoded

        def is_marker(key: str, folder: Path) -> bool:
            return self._kept.has_marker(bucket, key, folder)

        keys = keys_below(folder, f"{below}/" if below else "", after, is_marker)
        # A crash between two renames can leave a key in both places.
        both = merge((key for key in keys if key.startswith(prefix)), encoded)
        return (key for key, _ in groupby(both))

    def delete_object(self, bucket: str, key: str, *, if_match: str = "") -> None:
        """Remove the object, and the folders that this leaves empty; a missing object is not an error.

        Args:
            bucket: an existing bucket.
            key: the key.
            if_match: remove only an object that has this ETag; `*` is any.
        """
        self._check_bucket(bucket)
        with self._changing:
            is_conditional = if_match not in {"", "*"} and self._is_there(bucket, key)
            if is_conditional and self.head_object(bucket, key).etag != if_match:
                raise unmet_condition()
            self._remove(bucket, key)
            self._kept.drop(bucket, key)
            if has_path(key):
                path = self.path(bucket, key)
                self._remove_empty(bucket, path if key.endswith("/") else path.parent)

    def _remove_empty(self, bucket: str, folder: Path) -> None:
        """Remove folders that hold nothing: S3 has none, and a listing of them would cost time."""
        top = self.path(bucket)
        while folder != top and folder.is_relative_to(top):
            key = folder.relative_to(top).as_posix() + "/"
            if self._kept.has_marker(bucket, key, folder):
                return
            try:
                folder.rmdir()
            except OSError:
                return
            folder = folder.parent

    def _is_there(self, bucket: str, key: str) -> bool:
        try:
            self.head_object(bucket, key)
        except AwsError:
            return False
        return True

    def _mark_folder(self, bucket: str, key: str, described: Description) -> None:
        folder = self.path(bucket, key)
        self._clear_way(bucket, folder)
        folder.mkdir(parents=True, exist_ok=True)
        self._keep(bucket, key, EMPTY_MD5, 0, folder.stat().st_ino, described)
        self._encoded.remove(bucket, key)

    def _rename(self, bucket: str, key: str, written: Path, etag: str, described: Description) -> None:
        target = self._target(bucket, key)
        written.chmod(0o644)
        stat = set_distinct_time(written, target)
        for left in reversed(range(TRIES)):
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.is_dir():
                raise IsADirectoryError(target)
            # The facts come first: a file whose facts were missing would have no ETag for a moment. Until the
            # rename they hold those of the old file as well.
            kept = Kept(etag, stat.st_size, stat.st_mtime_ns, **vars(described))
            self._kept.keep(bucket, key, replace(kept, before=self._facts_now(bucket, key)))
            try:
                written.rename(target)
                break
            except FileNotFoundError:  # a job removed the folder between the two calls
                if not left:
                    raise
        if not target.is_relative_to(self._encoded.folder(bucket)):
            self._encoded.remove(bucket, key)

    def _keep(self, bucket: str, key: str, etag: str, size: int, about: int, described: Description) -> None:
        self._kept.keep(bucket, key, Kept(etag, size, about, **vars(described)))

    def _facts_now(self, bucket: str, key: str) -> Mapping[str, Any] | None:
        """Return the facts about the file that has the key now, without those of the file before it."""
        if self._kept.find(bucket, key) is None:
            return None
        try:
            kept = self._kept.find_about(bucket, key, self._find(bucket, key)[1])
        except AwsError:
            return None
        return asdict(replace(kept, before=None)) if kept else None

    def _described(self, bucket: str, key: str, path: Path, stat: os.stat_result) -> ObjectInfo | None:
        """Describe the file; None if another has replaced it meanwhile, so that its facts may be gone."""
        # No ETag is made up from the bytes of a file that another program wrote: to read it all for a listing
        # would cost more than the listing. Size and time change with it, and that is what an ETag is for.
        modified = datetime.fromtimestamp(stat.st_mtime, UTC)
        kept = self._kept.find_about(bucket, key, stat)
        if kept is not None:
            return ObjectInfo(key, stat.st_size, kept.etag, modified, kept.description)
        if not is_still(path, stat):
            return None
        return ObjectInfo(key, stat.st_size, f"{stat.st_mtime_ns:016x}{stat.st_size:016x}", modified)

    def _marker(self, bucket: str, key: str) -> ObjectInfo | None:
        """Return the folder as the empty object that it is under a key with `/` at its end, or None."""
        if not key.endswith("/") or not has_path(key):
            return None
        folder = self.path(bucket, key)
        if not self._kept.has_marker(bucket, key, folder):
            return None
        kept = self._kept.find(bucket, key)
        try:
            modified = datetime.fromtimestamp(folder.stat().st_mtime, UTC)
        except FileNotFoundError:
            return None
        return ObjectInfo(key, 0, EMPTY_MD5, modified, kept.description if kept else Description())
