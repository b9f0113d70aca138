"""Where the bytes of an object are: at its path in the bucket's folder, or under an encoded name elsewhere.

S3's keys are plain text. A folder holds most of them as paths, which other programs read and write. It cannot hold
`a//b` or `/a`, nor `a` next to `a/b`, nor bytes under `a/`, nor a name of more than 255 bytes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote, unquote

from etltctl.local.services.s3.bucket_folders import BucketFolders
from etltctl.local.services.s3.errors import no_such_key
from etltctl.local.services.s3.keys import check_key, has_path

# Percent encoding leaves neither of these in a name, so a folder and a file of one stem stay apart.
FOLDER, FILE = "+", "="
NAME_LETTERS = 140  # of a key in one name; file systems that encrypt names take 143 letters


class EncodedFiles:
    """The files of one lake's keys that are not paths.

    Args:
        root: The folder of them all.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def path(self, bucket: str, key: str) -> Path:
        """Return the file of a key, which need not exist; raises AwsError as `check_key` does."""
        check_key(bucket, key)
        # 1,024 bytes of a key are at most 3,072 letters here, and a path may have 4,096.
        text = quote(key, safe="")
        *folders, name = [text[start : start + NAME_LETTERS] for start in range(0, len(text), NAME_LETTERS)]
        return self._root.joinpath(bucket, *(folder + FOLDER for folder in folders), name + FILE)

    def folder(self, bucket: str) -> Path:
        """Return the folder of a bucket's files."""
        return self._root / bucket

    def keys(self, bucket: str, prefix: str, after: str) -> Iterator[str]:
        """Iterate in order over the keys that begin with the prefix and come after `after`.

        They are few, and encoded names have another order than keys, so they are read before they are sorted.
        """
        keys = (unquote(text) for text in _texts(self.folder(bucket)))
        return iter(sorted(key for key in keys if key.startswith(prefix) and key > after))

    def remove(self, bucket: str, key: str) -> None:
        """Delete the file of the key, if there is one, and the folders that this leaves empty."""
        if not self.folder(bucket).is_dir():
            return
        path = self.path(bucket, key)
        with suppress(FileNotFoundError, NotADirectoryError):
            path.unlink()
            with suppress(OSError):  # the first folder that is not empty ends it
                while (path := path.parent) != self._root:
                    path.rmdir()


def _texts(folder: Path, before: str = "") -> Iterator[str]:
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        for entry in entries:
            text = before + entry.name[:-1]
            if entry.name.endswith(FOLDER):
                yield from _texts(folder / entry.name, text)
            elif entry.name.endswith(FILE):
                yield text


class ObjectFiles(BucketFolders):
    """The files of the objects of one lake, wherever they are.

    Args:
        root: The folder of the buckets.
        meta_root: The folder of what the buckets' folders cannot hold.
    """

    def __init__(self, root: Path, meta_root: Path) -> None:
        super().__init__(root, meta_root)
        self._encoded = EncodedFiles(self._meta / ".encoded")

    def file(self, bucket: str, key: str) -> Path:
        """Return the file of an object; raises AwsError NoSuchKey."""
        return self._find(bucket, key)[0]

    def _find(self, bucket: str, key: str) -> tuple[Path, os.stat_result]:
        # Twice, because a write can move the object from the second place to the first between the two looks.
        for _ in range(2):
            with suppress(FileNotFoundError, NotADirectoryError):
                # The path wins: another program may have written there since the key got an encoded file.
                if not key.endswith("/") and has_path(key):
                    path = self.path(bucket, key)
                    if path.is_file():
                        return path, path.stat()
                if not self._encoded.folder(bucket).is_dir():  # of nearly every bucket
                    continue
                path = self._encoded.path(bucket, key)
                return path, path.stat()
        raise no_such_key()

    def _target(self, bucket: str, key: str) -> Path:
        """Return where a new file of the key belongs, and clear the way to it."""
        if key.endswith("/") or not has_path(key):
            return self._encoded.path(bucket, key)
        path = self.path(bucket, key)
        if path.is_dir():  # keys below it are objects, and other programs read them as the files of a folder
            return self._encoded.path(bucket, key)
        self._clear_way(bucket, path.parent)
        return path

    def _clear_way(self, bucket: str, folder: Path) -> None:
        """Give a file that is in the way of a folder its encoded name; a rename loses it for no reader."""
        if folder.is_dir():
            return
        top = self.path(bucket)
        for way in (folder, *folder.parents):
            if way == top:
                return
            if way.is_file():
                aside = self._encoded.path(bucket, way.relative_to(top).as_posix())
                aside.parent.mkdir(parents=True, exist_ok=True)
                way.replace(aside)

    def _remove(self, bucket: str, key: str) -> None:
        """Delete the file of an object, wherever it is."""
        if has_path(key):
            path = self.path(bucket, key)  # refuses a symbolic link
            if not key.endswith("/"):
                with suppress(FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError):
                    path.unlink()
        self._encoded.remove(bucket, key)
