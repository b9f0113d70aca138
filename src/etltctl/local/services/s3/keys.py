"""Where the files of S3's keys lie, and the keys of a bucket in the order in which S3 lists them."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from etltctl.local.kernel.json_protocol import AwsError
from etltctl.local.services.s3.errors import invalid_argument

BUCKET_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
MAX_KEY_BYTES = 1024  # the limit of S3
MAX_PART_BYTES = 255  # the limit of a file name on Linux and macOS
META_SUFFIX = ".json"
ENCODED_FACTS = ".encoded-facts"  # no bucket has such a name
IsMarker = Callable[[str, Path], bool]


def check_key(bucket: str, key: str) -> None:
    """Check the names of a bucket and of a key in it.

    Args:
        bucket: Name of the bucket.
        key: The key, or empty for the bucket itself.

    Raises:
        AwsError: `InvalidBucketName`, `KeyTooLongError` or `InvalidArgument`, all with status 400.
    """
    if not BUCKET_NAME.fullmatch(bucket) or ".." in bucket:
        raise AwsError("InvalidBucketName", "The specified bucket is not valid.")
    if len(key.encode(errors="replace")) > MAX_KEY_BYTES:
        raise AwsError("KeyTooLongError", "Your key is too long")
    if "\0" in key:
        raise invalid_argument("the key contains a zero byte; nothing was changed")
    if any("\ud800" <= letter <= "\udfff" for letter in key):
        raise invalid_argument("the key is not valid UTF-8; nothing was changed")


def has_path(key: str) -> bool:
    """Return whether the key is a path below its bucket's folder; one `/` at its end marks a folder.

    S3 allows more: `//`, a leading `/`, parts `.` and `..`, parts longer than a file name.
    """
    parts = key.removesuffix("/").split("/") if key else []
    return not {"", ".", ".."} & set(parts) and all(len(part.encode()) <= MAX_PART_BYTES for part in parts)


def locate(root: Path, bucket: str, key: str = "") -> Path:
    """Return the path of a key; a key becomes a path here and nowhere else.

    Args:
        root: Folder of the buckets, without symbolic links in its own path.
        bucket: Name of the bucket.
        key: The key, or empty for the bucket's folder.

    Returns:
        A path below the bucket's folder, with no symbolic link on the way and none at its end.

    Raises:
        AwsError: As `check_key`, `InvalidArgument` for a key that is not a path, and `AccessDenied` (403) if a
            symbolic link lies on the way.
    """
    check_key(bucket, key)
    if not has_path(key):
        raise invalid_argument(f"s3://{bucket}/{key} is not the path of a file")
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
    if not has_path(key):  # the parts of such a key would lead elsewhere
        return root / ENCODED_FACTS / bucket / _digest(key, META_SUFFIX)
    *folders, name = key.split("/")
    kept = [re.sub(r"(\.json(?:\.d)*)$", r"\1.d", folder) for folder in folders]
    return root.joinpath(bucket, *map(_short, kept), _short(name + META_SUFFIX, META_SUFFIX))


def _short(name: str, suffix: str = "") -> str:
    if len(name.encode()) <= MAX_PART_BYTES:
        return name
    return _digest(name, suffix)


def _digest(name: str, suffix: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest() + suffix


def keys_below(folder: Path, below: str, after: str, is_marker: IsMarker) -> Iterator[str]:
    """Iterate over the keys of a folder; folders that lie before `after` are not opened.

    Args:
        folder: where to begin.
        below: the key of this folder: empty for a bucket, else with `/` at its end.
        after: only keys beyond this one.
        is_marker: whether a folder is an object itself.
    """
    # A folder's own key is shorter than every key in it, so it comes first.
    if below > after and is_marker(below, folder):
        yield below
    for name in _names(folder):
        key = below + name
        if not name.endswith("/"):
            if key > after:
                yield key
        # `after` may name a key inside this folder, whose own name is then before it.
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
    # S3 sorts by bytes, and `a/` among the names puts `a-b` before `a/c`, as the keys themselves are sorted.
    return sorted((name for name in names if _is_utf8(name)), key=str.encode)


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
