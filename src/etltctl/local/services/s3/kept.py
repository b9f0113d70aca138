"""The facts about objects that their files cannot hold (ETag, metadata, headers, checksums), each in a small file."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from os import fdopen, stat_result
from pathlib import Path
from typing import Any

from etltctl.local.services.s3.keys import meta_path

OCTETS = "binary/octet-stream"
FULL_OBJECT, COMPOSITE = "FULL_OBJECT", "COMPOSITE"  # of all bytes, or of the checksums of the parts


@dataclass(frozen=True)
class Description:
    """What the writer of an object says about it: type, user metadata, other headers, checksums, tags, parts."""

    content_type: str = OCTETS
    metadata: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    checksums: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    checksum_type: str = FULL_OBJECT
    parts: Sequence[Mapping[str, Any]] = ()  # `size` in bytes and `checksums` of each, of a multipart upload


@dataclass(frozen=True)
class ObjectInfo:
    """One object without its bytes; size in bytes, times in UTC."""

    key: str
    size: int
    etag: str
    last_modified: datetime
    description: Description = field(default_factory=Description)

    @property
    def metadata(self) -> Mapping[str, str]:
        """The user metadata by name, without the prefix of its headers."""
        return self.description.metadata

    @property
    def content_type(self) -> str:
        """The media type that the writer gave."""
        return self.description.content_type


@dataclass(frozen=True)
class Kept:
    """The facts about one file; they hold only while the file has this size and this time."""

    etag: str
    size: int
    mtime_ns: int
    metadata: Mapping[str, str] = field(default_factory=dict)
    content_type: str = OCTETS
    headers: Mapping[str, str] = field(default_factory=dict)
    checksums: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    checksum_type: str = FULL_OBJECT
    parts: Sequence[Mapping[str, Any]] = ()
    before: Mapping[str, Any] | None = None  # the facts of the file that this one replaces

    @property
    def description(self) -> Description:
        """The part that the writer said."""
        said = {one.name: getattr(self, one.name) for one in fields(Description)}
        return Description(**said)

    def is_about(self, stat: stat_result) -> bool:
        """Return whether the file is still the one that these facts were kept for."""
        return (self.size, self.mtime_ns) == (stat.st_size, stat.st_mtime_ns)


class KeptFacts:
    """The folder of the kept facts."""

    def __init__(self, root: Path, scratch: Path) -> None:
        self._root = root
        self._scratch = scratch

    def find(self, bucket: str, key: str) -> Kept | None:
        """Return the facts kept for the key, or None; a spoilt file counts as none."""
        try:
            return Kept(**json.loads(meta_path(self._root, bucket, key).read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def find_about(self, bucket: str, key: str, stat: stat_result) -> Kept | None:
        """Return the facts about this very file; None if another program wrote it.

        The facts of a new file are written before it gets its name. Until then those of the old file still hold.
        """
        # Facts that do not fit the file are those of a file that another program replaced without telling anyone.
        kept = self.find(bucket, key)
        if kept is None or kept.is_about(stat):
            return kept
        try:
            before = Kept(**kept.before) if kept.before else None
        except TypeError:
            return None
        return before if before and before.is_about(stat) else None

    def keep(self, bucket: str, key: str, kept: Kept) -> None:
        """Write the facts of a key as a whole: a reader never sees half of them."""
        # A rename is whole or not at all; a file that is written in place would be half there after a crash.
        path = meta_path(self._root, bucket, key)
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=self._scratch)
        try:
            with fdopen(descriptor, "w") as stream:
                json.dump(asdict(kept), stream)
            Path(name).replace(path)
        except BaseException:  # a full disk, for example: the scratch file must not fill it further
            Path(name).unlink(missing_ok=True)
            raise

    def drop(self, bucket: str, key: str) -> None:
        """Forget the facts of a key."""
        meta_path(self._root, bucket, key).unlink(missing_ok=True)

    def has_marker(self, bucket: str, key: str, folder: Path) -> bool:
        """Return whether the folder is an object itself, under its key that ends with `/`.

        The number of the folder is compared, because a folder that was deleted and made again is not the object.
        """
        kept = self.find(bucket, key)
        try:
            return kept is not None and kept.mtime_ns == folder.stat().st_ino
        except OSError:
            return False
