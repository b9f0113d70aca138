"""Objects of the lake: listing, reading, and what a Parquet file says about itself in its footer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from etltctl.aws import Aws, translated
from etltctl.errors import ConfigurationError, ServiceError

if TYPE_CHECKING:
    import pyarrow as pa

FOOTER_GUESS = 65_536  # bytes; one suffix-range GET covers the footer of nearly every file
FOOTER_READERS = 8


@dataclass(frozen=True)
class S3Object:
    """One object as listed."""

    bucket: str
    key: str
    size: int
    etag: str
    modified: datetime

    @property
    def location(self) -> str:
        """The object's s3:// URL."""
        return f"s3://{self.bucket}/{self.key}"


@dataclass(frozen=True)
class Footer:
    """What a Parquet file's footer tells: its schema and its number of rows."""

    object: S3Object
    schema: pa.Schema
    rows: int


@dataclass(frozen=True)
class S3:
    """The S3 of one account and region."""

    aws: Aws

    def objects(self, location: str) -> list[S3Object]:
        """Every object below the location, sorted by key."""
        bucket, prefix = split_location(location)
        with translated("s3", location=location):
            pages = (
                self.aws.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
            )
            return [
                S3Object(bucket, found["Key"], found["Size"], found["ETag"].strip('"'), found["LastModified"])
                for page in pages
                for found in page.get("Contents", [])
            ]

    def folders(self, location: str) -> list[str]:
        """The names of the folders directly below the location, sorted."""
        bucket, prefix = split_location(location)
        with translated("s3", location=location):
            paginator = self.aws.client("s3").get_paginator("list_objects_v2")
            pages = paginator.paginate(Bucket=bucket, Prefix=prefix, Delimiter="/")
            found = [entry["Prefix"] for page in pages for entry in page.get("CommonPrefixes", [])]
        return [folder.removeprefix(prefix).rstrip("/") for folder in found]

    def read(self, location: str, *, last_bytes: int | None = None) -> bytes:
        """The object's bytes, or only its last ones."""
        bucket, key = split_location(location)
        part = {} if last_bytes is None else {"Range": f"bytes=-{last_bytes}"}
        with translated("s3", location=location):
            answer = self.aws.client("s3").get_object(Bucket=bucket, Key=key, **part)
            return bytes(answer["Body"].read())

    def delete(self, objects: Sequence[S3Object]) -> None:
        """Deletes these objects."""
        for found in objects:
            with translated("s3", location=found.location):
                self.aws.client("s3").delete_object(Bucket=found.bucket, Key=found.key)

    def footers(self, objects: Sequence[S3Object]) -> Iterator[Footer]:
        """The footers of these Parquet files, in their order, read a few at a time."""
        with ThreadPoolExecutor(max_workers=FOOTER_READERS) as readers:
            yield from readers.map(self._footer, objects)

    def _footer(self, found: S3Object) -> Footer:
        import pyarrow as pa
        import pyarrow.parquet as pq

        tail = self.read(found.location, last_bytes=min(FOOTER_GUESS, found.size))
        if tail[-4:] != b"PAR1":
            raise ServiceError(f"{found.location} is not a Parquet file", hint="delete it or move it away")
        length = int.from_bytes(tail[-8:-4], "little") + 8
        if length > len(tail):
            tail = self.read(found.location, last_bytes=length)
        try:
            file = pq.ParquetFile(pa.BufferReader(tail))
        except (pa.ArrowException, OSError) as error:
            raise ServiceError(f"{found.location} has a broken Parquet footer: {error}") from error
        return Footer(found, file.schema_arrow, file.metadata.num_rows)


def split_location(location: str) -> tuple[str, str]:
    """Bucket and key of an s3:// URL; s3a:// and s3n:// say the same."""
    match = re.fullmatch(r"s3[an]?://([^/]+)/?(.*)", location)
    if not match:
        raise ConfigurationError(
            f"{location!r} is not an S3 location", hint="write it as s3://bucket/prefix/"
        )
    return match[1], match[2]


def is_data(location: str, key: str) -> bool:
    """Whether readers see the file: Spark and Athena skip every name that begins with `_` or `.`."""
    _, prefix = split_location(location)
    return not any(part.startswith(("_", ".")) for part in key.removeprefix(prefix).split("/"))
