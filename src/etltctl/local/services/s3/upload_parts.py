"""The parts of a multipart upload, and the rules by which they become one object."""

from __future__ import annotations

import hashlib
import re
import shutil
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from etltctl.local.kernel.json_protocol import AwsError
from etltctl.local.services.s3.call import Call
from etltctl.local.services.s3.checksums import ALGORITHMS, Digests, checksum_header, compare
from etltctl.local.services.s3.errors import invalid_part, invalid_request, malformed_xml
from etltctl.local.services.s3.kept import COMPOSITE, FULL_OBJECT, Description
from etltctl.local.services.s3.payload import bare_tag, whole_xml

LEAST_PART_BYTES = 5 << 20  # of every part but the last
COPY_BYTES = 1 << 20
# A checksum of the whole follows from those of the parts only for CRCs, and S3 has CRC64NVME in this form alone.
TYPES: Mapping[str, tuple[str, ...]] = {
    "CRC32": (COMPOSITE, FULL_OBJECT),
    "CRC32C": (COMPOSITE, FULL_OBJECT),
    "CRC64NVME": (FULL_OBJECT,),
    "SHA1": (COMPOSITE,),
    "SHA256": (COMPOSITE,),
}


@dataclass(frozen=True)
class Part:
    """One part: its file, its ETag, its size in bytes and its checksums in Base64."""

    path: Path
    etag: str
    size: int
    checksums: Mapping[str, str] = field(default_factory=dict)
    uploaded: datetime = field(default_factory=lambda: datetime.now(UTC))

    def opened(self) -> IO[bytes]:
        """Open the file; raises AwsError `InvalidPart` if it is gone."""
        try:
            return self.path.open("rb")
        except FileNotFoundError as error:  # replaced, or the upload was aborted meanwhile
            raise invalid_part() from error


@dataclass
class Upload:
    """An upload under way; `algorithm` and `checksum_type` are empty if its parts need no checksum."""

    id: str
    bucket: str
    key: str
    description: Description
    algorithm: str = ""
    checksum_type: str = ""
    parts: dict[int, Part] = field(default_factory=dict)
    began: datetime = field(default_factory=lambda: datetime.now(UTC))

    def described(self, parts: Sequence[Part], whole: Mapping[str, str]) -> Description:
        """Return the description of the object that these parts make, with the checksums of the whole."""
        kept = [{"size": part.size, "checksums": dict(part.checksums)} for part in parts]
        kind = self.checksum_type or FULL_OBJECT
        return replace(self.description, parts=kept, checksums=whole, checksum_type=kind)


def checksum_of_upload(call: Call) -> tuple[str, str]:
    """Return algorithm and type of the checksum that a new upload asks for; empty if for none.

    Raises:
        AwsError: `InvalidRequest` for a pair that S3 does not have.
    """
    name = call.header("x-amz-checksum-algorithm").upper()
    kind = call.header("x-amz-checksum-type").upper()
    if not name:
        if kind:
            raise invalid_request(
                "The x-amz-checksum-type header can only be used with x-amz-checksum-algorithm"
            )
        return "", ""
    if name not in TYPES:
        raise invalid_request("Checksum algorithm provided is unsupported.")
    if kind and kind not in TYPES[name]:
        raise invalid_request(f"The {kind} checksum type cannot be used with the {name.lower()} algorithm.")
    return name, kind or TYPES[name][0]


def named_parts(call: Call) -> list[dict[str, str]]:
    """Return the parts as the end of an upload names them; raises AwsError `MalformedXML`."""
    document = whole_xml(call, is_part_list=True)
    parts = [
        {bare_tag(inner): inner.text or "" for inner in node} for node in document if bare_tag(node) == "Part"
    ]
    if bare_tag(document) != "CompleteMultipartUpload" or not parts:
        raise malformed_xml()
    if any(not re.fullmatch(r"[0-9]{1,6}", part.get("PartNumber", "")) for part in parts):
        raise malformed_xml()
    return parts


def chosen_parts(named: list[dict[str, str]], upload: Upload) -> list[Part]:
    """Return the parts that make the object, in their order.

    Raises:
        AwsError: `InvalidPartOrder`, `InvalidPart` or `EntityTooSmall`.
    """
    numbers = [int(part["PartNumber"]) for part in named]
    # Gaps are allowed, repetitions are not.
    if numbers != sorted(set(numbers)):
        raise AwsError(
            "InvalidPartOrder",
            "The list of parts was not in ascending order. Parts must be ordered by part number.",
        )
    if any(
        not _is_part(named_part, upload.parts.get(number))
        for number, named_part in zip(numbers, named, strict=True)
    ):
        raise invalid_part()
    chosen = [upload.parts[number] for number in numbers]
    if any(part.size < LEAST_PART_BYTES for part in chosen[:-1]):
        raise AwsError("EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size")
    return chosen


def _is_part(named: Mapping[str, str], part: Part | None) -> bool:
    if part is None or named.get("ETag", "").strip().strip('"') != part.etag:
        return False
    sums = {name: named[f"Checksum{name}"] for name in ALGORITHMS if f"Checksum{name}" in named}
    return all(part.checksums.get(name, value) == value for name, value in sums.items())


def etag_of(parts: Sequence[Part]) -> str:
    """Return S3's ETag of an object in parts: the MD5 of their MD5s, and their number."""
    digests = b"".join(bytes.fromhex(part.etag) for part in parts)
    return f"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(parts)}"


def joined(parts: Sequence[Part], stream: IO[bytes], upload: Upload) -> dict[str, str]:
    """Write the parts one after the other and return the checksum of the whole; empty if the upload has none."""
    is_full = upload.checksum_type == FULL_OBJECT
    digests = Digests({upload.algorithm} if upload.algorithm and is_full else ())
    for part in parts:
        with part.opened() as source:
            if not is_full:
                shutil.copyfileobj(source, stream, COPY_BYTES)
                continue
            while piece := source.read(COPY_BYTES):
                digests.update(piece)
                stream.write(piece)
    if not upload.algorithm or is_full:
        return digests.checksums
    # A composite checksum is that of the parts' checksums, with their number, as the ETag is.
    of_parts = ALGORITHMS[upload.algorithm]()
    for part in parts:
        of_parts.update(b64decode(part.checksums[upload.algorithm]))
    return {upload.algorithm: f"{b64encode(of_parts.digest()).decode()}-{len(parts)}"}


def check_whole(call: Call, parts: Sequence[Part], checksums: Mapping[str, str]) -> None:
    """Compare the object with what the request that ends the upload says of it.

    Raises:
        AwsError: `BadDigest`, or `InvalidRequest` for another size.
    """
    size = call.header("x-amz-mp-object-size")
    if size and size != str(sum(part.size for part in parts)):
        raise invalid_request(
            f"The provided 'x-amz-mp-object-size' header value {size} does not match the parts"
        )
    for name, value in checksums.items():
        if stated := call.header(checksum_header(name)):
            compare(name, stated, value)
