"""Functions of bytes and bits: encodings, hashes, numbers as bytes, bitwise operations and uuid."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import struct
import zlib
from collections.abc import Callable

from etltctl.local.services.athena.dialect import casts
from etltctl.local.services.athena.dialect.errors import invalid_argument
from etltctl.local.services.athena.dialect.registry import Call, function, simple
from etltctl.local.services.athena.dialect.trino_types import BIGINT, Type
from etltctl.local.services.athena.dialect.values import Value

# xxHash64 with seed 0, by its published specification (doc/xxhash_spec.md of Cyan4973/xxHash).
P1, P2, P3, P4, P5 = (
    0x9E3779B185EBCA87,
    0xC2B2AE3D27D4EB4F,
    0x165667B19E3779F9,
    0x85EBCA77C2B2AE63,
    0x27D4EB2F165667C5,
)
MASK = (1 << 64) - 1


def _rotated(value: int, bits: int) -> int:
    return ((value << bits) | (value >> (64 - bits))) & MASK


def _round(accumulator: int, lane: int) -> int:
    return _rotated((accumulator + lane * P2) & MASK, 31) * P1 & MASK


def xxhash64(data: bytes) -> int:
    """Return the hash of bytes as an unsigned number."""
    at = 0
    if len(data) >= 32:
        lanes = [(P1 + P2) & MASK, P2, 0, -P1 & MASK]
        while at + 32 <= len(data):
            for index in range(4):
                lanes[index] = _round(lanes[index], int.from_bytes(data[at : at + 8], "little"))
                at += 8
        value = sum(_rotated(lane, bits) for lane, bits in zip(lanes, (1, 7, 12, 18), strict=True)) & MASK
        for lane in lanes:
            value = ((value ^ _round(0, lane)) * P1 + P4) & MASK
    else:
        value = P5
    value = (value + len(data)) & MASK
    while at + 8 <= len(data):
        value = (
            _rotated(value ^ _round(0, int.from_bytes(data[at : at + 8], "little")), 27) * P1 + P4
        ) & MASK
        at += 8
    if at + 4 <= len(data):
        value = (
            _rotated(value ^ (int.from_bytes(data[at : at + 4], "little") * P1 & MASK), 23) * P2 + P3
        ) & MASK
        at += 4
    for byte in data[at:]:
        value = _rotated(value ^ (byte * P5 & MASK), 11) * P1 & MASK
    value = (value ^ (value >> 33)) * P2 & MASK
    value = (value ^ (value >> 29)) * P3 & MASK
    return value ^ (value >> 32)


def from_base64(text: str | bytes) -> bytes:
    """Decode base 64."""
    return _decoded(text, base64.b64decode, "+/")


def from_base64url(text: str | bytes) -> bytes:
    """Decode base 64 with the alphabet for URLs."""
    return _decoded(text, lambda data: base64.b64decode(data, altchars=b"-_", validate=True), "-_")


def from_base32(text: str | bytes) -> bytes:
    """Decode base 32."""
    data = text.encode() if isinstance(text, str) else text
    try:
        return base64.b32decode(data + b"=" * (-len(data) % 8), casefold=False)
    except binascii.Error as error:
        raise invalid_argument("Unrecognized character or length in base32 input") from error


def from_hex(text: str | bytes) -> bytes:
    """Decode hexadecimal digits."""
    try:
        return binascii.unhexlify(text)
    except (binascii.Error, ValueError) as error:
        shown = text if isinstance(text, str) else text.decode(errors="replace")
        raise invalid_argument(f"Illegal base 16 encoding: {shown}") from error


def to_base64(data: bytes) -> str:
    """Encode as base 64."""
    return base64.b64encode(data).decode()


def to_base64url(data: bytes) -> str:
    """Encode as base 64 with the alphabet for URLs."""
    return base64.urlsafe_b64encode(data).decode()


def to_base32(data: bytes) -> str:
    """Encode as base 32."""
    return base64.b32encode(data).decode()


def to_hex(data: bytes) -> str:
    """Encode as hexadecimal digits, in capitals."""
    return data.hex().upper()


def to_utf8(text: str) -> bytes:
    """Return the bytes of a text."""
    return text.encode()


def from_utf8(data: bytes, replacement: str = "\ufffd") -> str:
    """Return the text of bytes; each invalid sequence becomes the replacement."""
    # Trino takes one character or none.
    if len(replacement) > 1:
        raise invalid_argument("Replacement character string must empty or a single character")
    return data.decode(errors="replace").replace("\ufffd", replacement)


def from_utf8_code(data: bytes, replacement: int) -> str:
    """Decode UTF-8 with a code point as the replacement."""
    return from_utf8(data, chr(replacement))


def digest(name: str) -> object:
    """Return the function of a hash."""

    def hashed(data: bytes) -> bytes:
        # These are functions of SQL, not this program's security: MD5 must work in FIPS mode, too.
        return hashlib.new(name, data, usedforsecurity=False).digest()

    hashed.__name__ = name
    return hashed


def keyed(name: str) -> object:
    """Return the function of a keyed hash."""

    def hashed(data: bytes, key: bytes) -> bytes:
        return hmac.new(key, data, name).digest()

    hashed.__name__ = f"hmac_{name}"
    return hashed


def crc32(data: bytes) -> int:
    """Return the checksum."""
    return zlib.crc32(data)


def xxhash64_bytes(data: bytes) -> bytes:
    """Return the hash as bytes."""
    return xxhash64(data).to_bytes(8, "big")


def _written_as(name: str, layout: str) -> Callable[[float], bytes]:
    """Return the function that writes a number as bytes, in a layout of `struct`."""

    def written(number: float) -> bytes:
        return struct.pack(layout, number)

    written.__name__ = name
    return written


def _read_as(name: str, layout: str) -> Callable[[bytes], float]:
    """Return the function that reads a number from bytes, in a layout of `struct`."""

    def read(data: bytes) -> float:
        size = struct.calcsize(layout)
        if len(data) != size:
            raise invalid_argument(f"expected {size}-byte input, but got instead: {len(data)}")
        return struct.unpack(layout, data)[0]  # type: ignore[no-any-return]

    read.__name__ = name
    return read


def _decoded(text: str | bytes, decode: object, extra: str) -> bytes:
    data = text.encode() if isinstance(text, str) else text
    # Java's decoder takes text without its padding, and Python's does not; Python's skips foreign letters,
    # and Java's does not.
    if re.fullmatch(rb"[A-Za-z0-9%s]*=*" % re.escape(extra).encode(), data) is None or len(data) % 4 == 1:
        raise invalid_argument("Illegal base64 character or length")
    return decode(data + b"=" * (-len(data) % 4))  # type: ignore[operator,no-any-return]


for _name in ("varchar", "varbinary"):
    simple(f"from_base64({_name}) -> varbinary", from_base64)
    simple(f"from_base64url({_name}) -> varbinary", from_base64url)
    simple(f"from_base32({_name}) -> varbinary", from_base32)
    simple(f"from_hex({_name}) -> varbinary", from_hex)
for _name in ("md5", "sha1", "sha256", "sha512"):
    simple(f"{_name}(varbinary) -> varbinary", digest(_name))  # type: ignore[arg-type]
    simple(f"hmac_{_name}(varbinary, varbinary) -> varbinary", keyed(_name))  # type: ignore[arg-type]
simple("to_base64(varbinary) -> varchar", to_base64)
simple("to_base64url(varbinary) -> varchar", to_base64url)
simple("to_base32(varbinary) -> varchar", to_base32)
simple("to_hex(varbinary) -> varchar", to_hex)
simple("to_utf8(varchar) -> varbinary", to_utf8)
simple("from_utf8(varbinary) -> varchar", from_utf8)
simple("from_utf8(varbinary, varchar) -> varchar", from_utf8)
simple("from_utf8(varbinary, bigint) -> varchar", from_utf8_code)
simple("crc32(varbinary) -> bigint", crc32)
for _name, _type, _layout in (
    ("big_endian_64", "bigint", ">q"),
    ("big_endian_32", "integer", ">i"),
    ("ieee754_64", "double", ">d"),
    ("ieee754_32", "real", ">f"),
):
    simple(f"to_{_name}({_type}) -> varbinary", _written_as(f"to_{_name}", _layout))
    simple(f"from_{_name}(varbinary) -> {_type}", _read_as(f"from_{_name}", _layout))
simple("xxhash64(varbinary) -> varbinary", xxhash64_bytes)


BITS = {"tinyint": 8, "smallint": 16, "integer": 32, "bigint": 64}


simple("bitwise_and(bigint, bigint) -> bigint", "{0} & {1}")
simple("bitwise_or(bigint, bigint) -> bigint", "{0} | {1}")
# `^` is a power in DuckDB.
simple("bitwise_xor(bigint, bigint) -> bigint", "xor({0}, {1})")
simple("bitwise_not(bigint) -> bigint", "~{0}")


def _bit_count(number: int, bits: int) -> int:
    """Count the ones of a number in two's complement of that many bits."""
    if not 2 <= bits <= 64:
        raise invalid_argument("Bits specified in bit_count must be between 2 and 64, got " + str(bits))
    limit = 1 << (bits - 1)
    if not -limit <= number < limit:
        raise invalid_argument(
            f"Number must be representable with the bits specified. {number} cannot be represented with {bits} bits"
        )
    return (number & ((1 << bits) - 1)).bit_count()


simple("bit_count(bigint, bigint) -> bigint", _bit_count)


@function("bitwise_left_shift", "bitwise_right_shift", "bitwise_right_shift_arithmetic")
def _shift(call: Call) -> Value:
    """Shift a number within its own type's bits."""
    call.expect(2)
    if not all(kind.is_integer for kind in call.types):
        raise call.unexpected()
    shift = {
        "bitwise_left_shift": _left,
        "bitwise_right_shift": _right,
        "bitwise_right_shift_arithmetic": _right_arithmetic,
    }[call.name]
    kind = call.types[0]
    bits = Value(str(BITS[kind.name]), Type("integer"))
    return call.python(shift, call.args[0], casts.coerced(call.args[1], BIGINT), bits, returns=kind)


def _signed(number: int, bits: int) -> int:
    number &= (1 << bits) - 1
    return number - (1 << bits) if number >> (bits - 1) else number


def _left(number: int, by: int, bits: int) -> int:
    return 0 if not 0 <= by < bits else _signed(number << by, bits)


def _right(number: int, by: int, bits: int) -> int:
    return 0 if not 0 <= by < bits else _signed((number & ((1 << bits) - 1)) >> by, bits)


def _right_arithmetic(number: int, by: int, bits: int) -> int:
    # A shift by all bits or more leaves the sign.
    return (-1 if number < 0 else 0) if not 0 <= by < bits else number >> by


@function("uuid")
def _uuid(call: Call) -> Value:
    call.expect(0)
    return Value("CAST(uuid() AS VARCHAR)", Type("uuid"))
