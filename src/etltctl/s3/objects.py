"""Objects: listing, reading, writing, and deleting a folder of them with every answer checked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from etltctl.aws import Aws, translated
from etltctl.errors import ConfigurationError, ServiceError

DELETED_AT_ONCE = 1000
FOLDER_DEPTH = 3  # slashes in s3://bucket/folder


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

    def read(self, location: str, *, last_bytes: int | None = None, etag: str = "") -> bytes:
        """Return the object's bytes, or only its last ones.

        Raises:
            ServiceError: With the code `PreconditionFailed` if the object has another ETag than `etag`.
        """
        bucket, key = split_location(location)
        part = {} if last_bytes is None else {"Range": f"bytes=-{last_bytes}"}
        part |= {"IfMatch": f'"{etag}"'} if etag else {}
        with translated("s3", location=location):
            answer = self.aws.client("s3").get_object(Bucket=bucket, Key=key, **part)
            return bytes(answer["Body"].read())

    def write(self, location: str, body: bytes) -> None:
        """Puts the object, in place of one that is there."""
        bucket, key = split_location(location)
        with translated("s3", location=location):
            self.aws.client("s3").put_object(Bucket=bucket, Key=key, Body=body)

    def move(self, found: S3Object, location: str) -> None:
        """Copies the object within S3 and then deletes it where it was, if it is still the one that was listed."""
        bucket, key = split_location(location)
        source = {"Bucket": found.bucket, "Key": found.key}
        with translated("s3", location=found.location):
            client = self.aws.client("s3")
            client.copy_object(Bucket=bucket, Key=key, CopySource=source, CopySourceIfMatch=found.etag)
            client.delete_object(**source)

    def remove(self, location: str) -> None:
        """Deletes one object; one that is not there is no error."""
        bucket, key = split_location(location)
        with translated("s3", location=location):
            self.aws.client("s3").delete_object(Bucket=bucket, Key=key)

    def delete_folder(self, location: str) -> int:
        """Deletes every object below the location, which must end with `/`; returns their number.

        S3 answers a batch with success and lists in its body what it did not delete: raises ServiceError for those.
        """
        if not location.endswith("/") or location.rstrip("/").count("/") < FOLDER_DEPTH:
            raise ValueError(f"{location} is not a folder within a bucket")
        found = self.objects(location)
        for first in range(0, len(found), DELETED_AT_ONCE):
            keys = [{"Key": one.key} for one in found[first : first + DELETED_AT_ONCE]]
            with translated("s3", location=location):
                wanted = {"Objects": keys, "Quiet": True}
                answer = self.aws.client("s3").delete_objects(Bucket=found[0].bucket, Delete=wanted)
            if refused := answer.get("Errors"):
                one = refused[0]
                raise ServiceError(
                    f"S3 did not delete {len(refused)} objects of {location}, the first {one.get('Key')}: "
                    f"{one.get('Message') or one.get('Code')}",
                    code=str(one.get("Code", "")),
                    hint="allow s3:DeleteObject there, or delete them by hand",
                )
        return len(found)


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
