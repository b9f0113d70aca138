"""The files of tables, read and written by Iceberg's library in the embedded S3."""

from __future__ import annotations

import io
from pathlib import Path
from types import TracebackType
from typing import Any

from pyiceberg.io import FileIO, InputFile, OutputFile

from etltctl.local.kernel.json_protocol import AwsError
from etltctl.local.services.s3.directory import S3Directory


def place(location: str) -> tuple[str, str]:
    """Return the bucket and the key of a location. Other engines write `s3a://` and `s3n://` as well."""
    scheme, _, path = location.partition("://")
    if scheme not in ("s3", "s3a", "s3n"):
        raise ValueError(f"{location} is not a location on S3")
    bucket, _, key = path.partition("/")
    return bucket, key


class LakeFile(InputFile, OutputFile):
    """One object of the embedded S3."""

    def __init__(self, location: str, directory: S3Directory) -> None:
        super().__init__(location)
        self._directory = directory
        self._bucket, self._key = place(location)

    def __len__(self) -> int:
        """Return the count of bytes."""
        return self.path.stat().st_size

    @property
    def path(self) -> Path:
        """The file on this machine.

        Raises:
            FileNotFoundError: There is no such object.
        """
        try:
            return Path(self._directory.file(self._bucket, self._key))
        except AwsError as error:
            raise FileNotFoundError(f"there is no object {self.location}") from error

    def exists(self) -> bool:
        """Return whether there is such an object."""
        try:
            return self.path.is_file()
        except FileNotFoundError:
            return False

    def open(self, seekable: bool = True) -> Any:  # noqa: ARG002
        """Open the object for reading."""
        return self.path.open("rb")

    def to_input_file(self) -> LakeFile:
        """Return the object as one to read."""
        return self

    def create(self, overwrite: bool = False) -> Any:
        """Open a stream whose bytes become the object when it is closed.

        Raises:
            FileExistsError: There is such an object, and it must not be replaced.
        """
        if not overwrite and self.exists():
            raise FileExistsError(f"there is already an object {self.location}")
        return _Body(self)

    def put(self, body: bytes) -> None:
        """Write the object at once and whole."""
        self._directory.put_object(self._bucket, self._key, body)

    def delete(self) -> None:
        """Delete the object. A missing one is not an error."""
        self._directory.delete_object(self._bucket, self._key)


class _Body(io.BytesIO):
    """The bytes of an object that is being written."""

    def __init__(self, file: LakeFile) -> None:
        super().__init__()
        self._file = file
        self._is_failed = False

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the stream. After an error its bytes are incomplete, so they do not become the object."""
        self._is_failed = error is not None
        super().__exit__(kind, error, trace)

    def close(self) -> None:
        """Write the object."""
        if not self.closed and not self._is_failed:
            self._file.put(self.getvalue())
        super().close()


class LakeFiles(FileIO):
    """All objects of the embedded S3.

    Args:
        directory: The embedded S3.
    """

    def __init__(self, directory: S3Directory) -> None:
        super().__init__()
        self.directory = directory

    def new_input(self, location: str) -> LakeFile:
        """Return an object to read."""
        return LakeFile(location, self.directory)

    def new_output(self, location: str) -> LakeFile:
        """Return an object to write."""
        return LakeFile(location, self.directory)

    def delete(self, location: str | InputFile | OutputFile) -> None:
        """Delete an object."""
        text = location if isinstance(location, str) else location.location
        LakeFile(text, self.directory).delete()
