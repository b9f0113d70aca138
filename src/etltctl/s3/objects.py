"""Objects: listing, reading, writing, and deleting a folder of them with every answer checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from etltctl.aws import Aws, translated
from etltctl.errors import RETRY, AlreadyRunningError, NextStep, ServiceError, command
from etltctl.values import S3Location
from etltctl.waiting import REAL_TIME, timekeeper

T = TypeVar("T")

PARQUET = ".parquet"
LARGEST_COPY = 5 * 1024**3  # bytes; S3's limit of CopyObject
PART_BYTES = 256 * 1024**2  # of a part of a larger copy; S3 takes from 5 MiB to 5 GiB
PARTS_AT_ONCE = 4
DELETED_AT_ONCE = 1000  # S3's limit of DeleteObjects
REPLACED = frozenset({"NoSuchKey", "PreconditionFailed"})  # errors of reading a listed object that is gone
PAUSES_S = (0.2, 0.5, 1.0, 2.0, 4.0)  # a sync deletes the files of the one before within a second or two


@dataclass(frozen=True)
class S3Object:
    """One object as S3 lists it."""

    bucket: str
    key: str
    size: int
    etag: str
    modified: datetime

    @property
    def location(self) -> str:
        """Return the object's s3:// URL."""
        return str(S3Location(self.bucket, self.key))


@dataclass(frozen=True)
class S3:
    """The S3 of one account and region."""

    aws: Aws

    def objects(self, location: str | S3Location) -> list[S3Object]:
        """Return every object below the location, sorted by key."""
        place = S3Location.parse(location)
        with translated("s3", location=str(place)):
            paginator = self.aws.client("s3").get_paginator("list_objects_v2")
            pages = paginator.paginate(Bucket=place.bucket, Prefix=place.key)
            return [
                S3Object(
                    place.bucket, entry["Key"], entry["Size"], entry["ETag"].strip('"'), entry["LastModified"]
                )
                for page in pages
                for entry in page.get("Contents", [])
            ]

    def folders(self, location: str | S3Location) -> list[str]:
        """Return the names of the folders directly below the location, sorted."""
        place = S3Location.parse(location)
        with translated("s3", location=str(place)):
            paginator = self.aws.client("s3").get_paginator("list_objects_v2")
            pages = paginator.paginate(Bucket=place.bucket, Prefix=place.key, Delimiter="/")
            folders = [entry["Prefix"] for page in pages for entry in page.get("CommonPrefixes", [])]
        return [folder.removeprefix(place.key).rstrip("/") for folder in folders]

    def read(self, location: str | S3Location, *, last_bytes: int | None = None, etag: str = "") -> bytes:
        """Return the object's bytes.

        Args:
            location: The object.
            last_bytes: How many bytes of its end to read; all of it if None.
            etag: The ETag that the object must still have; any if empty.

        Raises:
            ServiceError: With the code `PreconditionFailed` if the object has another ETag.
        """
        place = S3Location.parse(location)
        part = {} if last_bytes is None else {"Range": f"bytes=-{last_bytes}"}
        # S3 takes ETags with quotes and lists them with quotes; everywhere else here they have none.
        part |= {"IfMatch": f'"{etag}"'} if etag else {}
        with translated("s3", location=str(place)):
            answer = self.aws.client("s3").get_object(Bucket=place.bucket, Key=place.key, **part)
            return bytes(answer["Body"].read())

    def read_if_there(self, location: str | S3Location) -> bytes | None:
        """Return the object's bytes; None if there is no such object."""
        try:
            return self.read(location)
        except ServiceError as error:
            if error.code == "NoSuchKey":
                return None
            raise

    def write(self, location: str | S3Location, body: bytes) -> None:
        """Put the object, in place of one that is there."""
        place = S3Location.parse(location)
        with translated("s3", location=str(place)):
            self.aws.client("s3").put_object(Bucket=place.bucket, Key=place.key, Body=body)

    def copy(
        self, listed_object: S3Object, location: str | S3Location, *, largest: int = LARGEST_COPY
    ) -> None:
        """Copy the object within S3, if it is still the one that was listed.

        An object that is too large for one call is copied in parts. Then the copy has another ETag than its origin,
        and an older s3transfer leaves out metadata and content type.

        Args:
            listed_object: The object.
            location: Where the copy goes.
            largest: How many bytes one call may copy.

        Raises:
            ServiceError: With the code `PreconditionFailed` if it is another one; `NoSuchKey`, for a copy in parts
                `404`, if it is gone.
        """
        place = S3Location.parse(location)
        client = self.aws.client("s3")
        source = {"Bucket": listed_object.bucket, "Key": listed_object.key}
        # S3 takes ETags with quotes; the SDK checks the ETag before it begins a copy in parts, and with each part.
        condition = {"CopySourceIfMatch": f'"{listed_object.etag}"'}
        with translated("s3", location=listed_object.location):
            if listed_object.size > largest:
                _copy_in_parts(client, source, place, condition, min(largest, PART_BYTES))
            else:
                client.copy_object(Bucket=place.bucket, Key=place.key, CopySource=source, **condition)

    def move(self, listed_object: S3Object, location: str | S3Location) -> None:
        """Copy the object within S3, then delete it where it was, if it is still the one that was listed."""
        self.copy(listed_object, location)
        # S3 has no move. A process that dies in between leaves both copies, never none.
        with translated("s3", location=listed_object.location):
            self.aws.client("s3").delete_object(Bucket=listed_object.bucket, Key=listed_object.key)

    def remove(self, location: str | S3Location) -> None:
        """Delete one object; an object that is not there is not an error."""
        place = S3Location.parse(location)
        with translated("s3", location=str(place)):
            self.aws.client("s3").delete_object(Bucket=place.bucket, Key=place.key)

    def delete_folder(self, location: str | S3Location) -> int:
        """Delete every object below the location.

        Args:
            location: A folder within a bucket, which ends with `/`.

        Returns:
            The number of the objects.

        Raises:
            ServiceError: Some objects were not deleted. S3 answers a batch with success all the same and lists them
                in the answer's body.
            ValueError: The location is not a folder within a bucket.
        """
        place = S3Location.parse(location)
        # Without the slash the prefix `orders` would delete `orders_old` as well; an empty key would empty the
        # bucket.
        if not place.key.endswith("/") or not place.key.strip("/"):
            raise ValueError(f"{place} is not a folder within a bucket")
        objects = self.objects(place)
        for first in range(0, len(objects), DELETED_AT_ONCE):
            keys = [{"Key": one.key} for one in objects[first : first + DELETED_AT_ONCE]]
            with translated("s3", location=str(place)):
                answer = self.aws.client("s3").delete_objects(
                    Bucket=place.bucket, Delete={"Objects": keys, "Quiet": True}
                )
            # In its quiet form the answer has the failures only.
            if refused := answer.get("Errors"):
                one = refused[0]
                raise ServiceError(
                    f"S3 did not delete {len(refused)} objects of {place}, the first {one.get('Key')}: "
                    f"{one.get('Message') or one.get('Code')}",
                    code=str(one.get("Code", "")),
                    hint="allow s3:DeleteObject there, or delete them by hand",
                )
        return len(objects)


def _copy_in_parts(
    client: Any, source: Mapping[str, str], place: S3Location, condition: Mapping[str, str], part_bytes: int
) -> None:
    """Copy an object part by part; the parts of a copy that fails are removed."""
    # Imported here: boto3 takes as long as all of botocore's services, and few lakes have such large files.
    import s3transfer.exceptions as raised
    from boto3.s3.transfer import TransferConfig, create_transfer_manager

    config = TransferConfig(
        multipart_threshold=1,
        multipart_chunksize=part_bytes,
        max_concurrency=PARTS_AT_ONCE,
        preferred_transfer_client="classic",  # the other one cannot copy
    )
    # Versions without this class, such as 0.11 of boto3 1.37, raise the error of S3, which the caller translates.
    replaced = getattr(raised, "S3CopyFailedError", ServiceError)
    try:
        with create_transfer_manager(client, config) as transfers:
            transfers.copy(dict(source), place.bucket, place.key, extra_args=dict(condition)).result()
    except replaced as error:
        raise ServiceError(f"s3 UploadPartCopy: {error}", code="PreconditionFailed") from error


def is_data(location: str | S3Location, key: str) -> bool:
    """Return whether readers of the location see the file.

    Spark and Athena skip every file and folder whose name begins with `_` or `.`.
    """
    below = key.removeprefix(S3Location.parse(location).key)
    return not any(part.startswith(("_", ".")) for part in below.split("/"))


def settled(read: Callable[[], T], name: str) -> T:
    """Return what `read` returns; call it again where another process replaces the objects meanwhile.

    Args:
        read: Lists a folder and reads its objects.
        name: The table, to name it in an error.

    Raises:
        AlreadyRunningError: Objects still vanish between their listing and their reading after every attempt.
    """
    for pause in PAUSES_S:
        try:
            return read()
        except ServiceError as error:
            if error.code not in REPLACED:
                raise
        # An S3 listing is consistent, so what vanished was replaced: the next listing shows the new files.
        (timekeeper.get() or REAL_TIME).sleep(pause)
    try:
        return read()
    except ServiceError as error:
        if error.code not in REPLACED:
            raise
        raise AlreadyRunningError(
            f"the files of {name} are replaced while they are read: another sync or job writes there",
            hint=NextStep(
                "wait for it: ", command("runs", "list"), " names it, ", command("runs", "watch", "RUN"),
                " follows it; then: ", RETRY,
            ),
            **error.facts,
        ) from error  # fmt: skip
