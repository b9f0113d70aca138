"""Checksums of uploads: what the client says about the bytes is compared with the bytes."""

from __future__ import annotations

import hashlib
import re
import zlib
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, Protocol

from etltctl.local.kernel.json_protocol import AwsError
from etltctl.local.services.s3.errors import invalid_request

HEADER = "x-amz-checksum-"
CONTENT_SHA256 = "x-amz-content-sha256"


class Digest(Protocol):
    """A running checksum, as hashlib has them."""

    def update(self, piece: bytes, /) -> None:
        """Take more bytes."""

    def digest(self) -> bytes:
        """Return the checksum of all bytes so far."""


class Crc32:
    """CRC-32 of gzip, by zlib."""

    def __init__(self) -> None:
        self._value = 0

    def update(self, piece: bytes, /) -> None:
        """Take more bytes."""
        self._value = zlib.crc32(piece, self._value)

    def digest(self) -> bytes:
        """Return the checksum, big-endian."""
        return self._value.to_bytes(4, "big")


class ReflectedCrc:
    """A CRC that is computed with a table, for the two that no library here computes (some 15 MB a second)."""

    def __init__(self, polynomial: int, bits: int) -> None:
        self._table = _table(polynomial)
        self._ones = (1 << bits) - 1
        self._value = self._ones
        self._bytes = bits // 8

    def update(self, piece: bytes, /) -> None:
        """Take more bytes."""
        value, table = self._value, self._table
        for byte in piece:
            value = table[(value ^ byte) & 0xFF] ^ (value >> 8)
        self._value = value

    def digest(self) -> bytes:
        """Return the checksum, big-endian."""
        return (self._value ^ self._ones).to_bytes(self._bytes, "big")


@lru_cache
def _table(polynomial: int) -> tuple[int, ...]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (polynomial if value & 1 else 0)
        table.append(value)
    return tuple(table)


def _sha1() -> Digest:
    return hashlib.sha1(usedforsecurity=False)


ALGORITHMS: Mapping[str, Callable[[], Digest]] = {
    "CRC32": Crc32,
    # The polynomials with their bits reversed: Castagnoli (RFC 3720) and that of the NVM Express specification.
    "CRC32C": lambda: ReflectedCrc(0x82F63B78, 32),
    "CRC64NVME": lambda: ReflectedCrc(0x9A6C9329AC4BC9B5, 64),
    "SHA1": _sha1,
    "SHA256": hashlib.sha256,
}


def checksum_header(algorithm: str) -> str:
    """Return the header that carries a checksum."""
    return HEADER + algorithm.lower()


class Digests:
    """Several checksums of the same bytes.

    Args:
        names: The algorithms by S3's names.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._digests = {name: ALGORITHMS[name]() for name in names}

    def update(self, piece: bytes) -> None:
        """Take more bytes."""
        for digest in self._digests.values():
            digest.update(piece)

    @property
    def checksums(self) -> dict[str, str]:
        """The checksums in Base64, by algorithm."""
        return {name: b64encode(digest.digest()).decode() for name, digest in self._digests.items()}


class Verified:
    """The checksums of one body while it is read, and the comparison at its end."""

    def __init__(self, headers: Mapping[str, str], also: Iterable[str] = ()) -> None:
        """Prepare for what the request's headers announce.

        Args:
            headers: The headers by lower-case name.
            also: Algorithms to compute as well, whatever the headers say.

        Raises:
            AwsError: `InvalidDigest` or `InvalidRequest` if a checksum is not one.
        """
        # Always, because it is the ETag as well.
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._expected_md5 = _content_md5(headers["content-md5"]) if "content-md5" in headers else b""
        self._expected = {
            name: headers[checksum_header(name)] for name in ALGORITHMS if checksum_header(name) in headers
        }
        for name, value in self._expected.items():
            _check_form(name, value)
        # A trailer's checksum arrives after the bytes, so its algorithm has to be known before the first one.
        in_trailer = headers.get("x-amz-trailer", "").lower().split(",")
        self._trailing = {name for name in ALGORITHMS if checksum_header(name) in map(str.strip, in_trailer)}
        self._digests = Digests({*self._expected, *self._trailing, *also})
        sent = headers.get(CONTENT_SHA256, "")
        self._sha256 = sent if re.fullmatch(r"[0-9a-f]{64}", sent) else ""
        self._signed: Any = hashlib.sha256() if self._sha256 else None

    def update(self, piece: bytes) -> None:
        """Take more bytes of the body."""
        self._md5.update(piece)
        self._digests.update(piece)
        if self._signed is not None:
            self._signed.update(piece)

    def check(self, trailers: Mapping[str, str]) -> None:
        """Compare at the end of the body.

        Raises:
            AwsError: `BadDigest` or `XAmzContentSHA256Mismatch` if the bytes are not those that were announced.
        """
        if self._expected_md5 and self._expected_md5 != self._md5.digest():
            raise AwsError(
                "BadDigest",
                "The Content-MD5 you specified did not match what we received; nothing was stored",
            )
        if self._signed is not None and self._signed.hexdigest() != self._sha256:
            raise AwsError(
                "XAmzContentSHA256Mismatch",
                "The provided 'x-amz-content-sha256' header does not match what was computed; nothing was stored",
            )
        # A trailer that was announced and did not come counts as a wrong one: the body may have been cut there.
        in_trailer = {name: trailers.get(checksum_header(name), "") for name in self._trailing}
        for name, value in {**in_trailer, **self._expected}.items():
            compare(name, value, self.checksums[name])

    @property
    def etag(self) -> str:
        """The MD5 in hexadecimal."""
        return self._md5.hexdigest()

    @property
    def checksums(self) -> dict[str, str]:
        """The checksums that were announced or asked for, in Base64."""
        return self._digests.checksums


def compare(name: str, stated: str, computed: str) -> None:
    """Compare a checksum that a request states with the one of its bytes; raises AwsError `BadDigest`."""
    if stated != computed:
        raise AwsError(
            "BadDigest",
            f"The {name} you specified did not match the calculated checksum; nothing was stored",
        )


def _content_md5(text: str) -> bytes:
    try:
        digest = b64decode(text, validate=True)
    except ValueError:
        digest = b""
    if len(digest) != hashlib.md5(usedforsecurity=False).digest_size:
        raise AwsError("InvalidDigest", "The Content-MD5 you specified was invalid.")
    return digest


def _check_form(name: str, value: str) -> None:
    try:
        is_good = len(b64decode(value, validate=True)) == len(ALGORITHMS[name]().digest())
    except ValueError:
        is_good = False
    if not is_good:
        raise invalid_request(f"Value for {checksum_header(name)} header is invalid.")
