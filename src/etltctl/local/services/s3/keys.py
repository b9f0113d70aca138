"""Where the files of S3's keys lie, and the keys of a bucket in the order in which S3 lists them."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from etltctl.local.kernel.json_protocol import AwsError

BUCKET_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
MAX_KEY_BYTES = 1024  # the limit of S3
MAX_PART_BYTES = 255  # the limit of a file name on Linux and macOS
META_SUFFIX = ".json"
IsMarker = Callable[[str, Path], bool]


def check_key(bucket: str, key: str) -> None:
    """Check that a folder can hold the key.

    S3 allows more: `//`, a leading `/`, parts `.` and `..`, parts longer than a file name. A folder cannot hold
    such keys under their own names, so they are refused instead of being changed to other keys.

    Args:
        bucket: name of the bucket, for the message.
        key: the key as S3 sees it; one `/` at the end marks a folder.

    Raises:
        AwsError: `InvalidBucketName`, `KeyTooLongError` or `InvalidArgument`, all with status 400.
    """
    if not BUCKET_NAME.fullmatch(bucket) or ".." in bucket:
        raise AwsError("InvalidBucketName", "The specified bucket is not valid.")
    if len(key.encode(errors="replace")) > MAX_KEY_BYTES:
        raise AwsError("KeyTooLongError", "Your key is too long")
    if reason := _why_not(key):
        raise AwsError(
            "InvalidArgument",
            f"the embedded S3 keeps objects as files and cannot keep s3://{bucket}/{key}: {reason}; "
            "nothing was changed",
        )


def _why_not(key: str) -> str:
    parts = key.removesuffix("/").split("/") if key else []
    if "" in parts:
        return "a part of the key is empty"
    if "." in parts or ".." in parts:
        return "a part of the key is `.` or `..`"
    if "\0" in key:
        return "the key contains a zero byte"
    if any("\ud800" <= letter <= "\udfff" for letter in key):
        return "the key is not valid UTF-8"
    if any(len(part.encode()) > MAX_PART_BYTES for part in parts):
        return f"a part of the key is longer than {MAX_PART_BYTES} bytes"
    return ""


def locate(root: Path, bucket: str, key: str = "") -> Path:
    """Return the file of an object; every key becomes a path here and nowhere else.

    Args:
        root: folder of the buckets, without symbolic links in its own path.
        bucket: name of the bucket.
        key: the key, or empty for the bucket's folder.

    Returns:
        A path below the bucket's folder, with no symbolic link on the way and none at its end.

    Raises:
        AwsError: as `check_key`, and `AccessDenied` (403) if a symbolic link lies on the way.
    """
    check_key(bucket, key)
    path = root / bucket / key
    # realpath follows every link; a path that it changes would lead somewhere else.
    if os.path.realpath(path) != str(path):
        raise AwsError("AccessDenied", f"a symbolic link is in the way to s3://{bucket}/{key}", 403)
    if not path.is_relative_to(root / bucket):
        raise AwsError("AccessDenied", f"s3://{bucket}/{key} leads out of its bucket", 403)
    return path


def meta_path(root: Path, bucket: str, key: str) -> Path:
    """Return where the facts about an object are kept that its file cannot hold.

    Folders whose names end in `.json` get another suffix: else the facts of `a` and of `a.json/b` would need a
    file and a folder of one name.
    """
    *folders, name = key.split("/")
    kept = [re.sub(r"(\.json(?:\.d)*)$", r"\1.d", folder) for folder in folders]
    return root.joinpath(bucket, *map(_short, kept), _short(name + META_SUFFIX, META_SUFFIX))


def _short(name: str, suffix: str = "") -> str:
    if len(name.encode()) <= MAX_PART_BYTES:
        return name
    return hashlib.sha256(name.encode()).hexdigest() + suffix


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
