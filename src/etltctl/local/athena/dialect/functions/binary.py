"""Functions of bytes: encodings, hashes, URLs."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import struct
import zlib
from urllib.parse import parse_qsl, quote_plus, unquote_plus, urlsplit

from etltctl.local.athena.dialect.errors import invalid_argument
from etltctl.local.athena.dialect.functions.xxhash import xxhash64
from etltctl.local.athena.dialect.registry import simple

URL = re.compile(r"[^\s<>\"{}|\\^`]*")


def from_base64(text: str | bytes) -> bytes:
    """Read base 64."""
    return _decoded(text, base64.b64decode, "+/")


def from_base64url(text: str | bytes) -> bytes:
    """Read base 64 of the alphabet for URLs."""
    return _decoded(text, lambda data: base64.b64decode(data, altchars=b"-_", validate=True), "-_")


def from_base32(text: str | bytes) -> bytes:
    """Read base 32."""
    data = text.encode() if isinstance(text, str) else text
    try:
        return base64.b32decode(data + b"=" * (-len(data) % 8), casefold=False)
    except binascii.Error as error:
        raise invalid_argument("Unrecognized character or length in base32 input") from error


def from_hex(text: str | bytes) -> bytes:
    """Read hexadecimal digits."""
    try:
        return binascii.unhexlify(text)
    except (binascii.Error, ValueError) as error:
        shown = text if isinstance(text, str) else text.decode(errors="replace")
        raise invalid_argument(f"Illegal base 16 encoding: {shown}") from error


def to_base64(data: bytes) -> str:
    """Write base 64."""
    return base64.b64encode(data).decode()


def to_base64url(data: bytes) -> str:
    """Write base 64 of the alphabet for URLs."""
    return base64.urlsafe_b64encode(data).decode()


def to_base32(data: bytes) -> str:
    """Write base 32."""
    return base64.b32encode(data).decode()


def to_hex(data: bytes) -> str:
    """Write hexadecimal digits, in capitals."""
    return data.hex().upper()


def to_utf8(text: str) -> bytes:
    """Return the bytes of a text."""
    return text.encode()


def from_utf8(data: bytes, replacement: str = "\ufffd") -> str:
    """Return the text of bytes; each invalid sequence becomes the replacement."""
    if len(replacement) > 1:
        raise invalid_argument("Replacement character string must empty or a single character")
    return data.decode(errors="replace").replace("\ufffd", replacement)


def from_utf8_code(data: bytes, replacement: int) -> str:
    """Decode UTF-8 with a code point as the replacement."""
    return from_utf8(data, chr(replacement))


def digest(name: str) -> object:
    """Return the function of a hash."""

    def hashed(data: bytes) -> bytes:
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


def to_big_endian_64(number: int) -> bytes:
    """Return the bytes of a number."""
    return struct.pack(">q", number)


def to_big_endian_32(number: int) -> bytes:
    """Return the bytes of a number."""
    return struct.pack(">i", number)


def from_big_endian_64(data: bytes) -> int:
    """Return the number of bytes."""
    return int(_unpacked(">q", data))


def from_big_endian_32(data: bytes) -> int:
    """Return the number of bytes."""
    return int(_unpacked(">i", data))


def to_ieee754_64(number: float) -> bytes:
    """Return the bytes of a number."""
    return struct.pack(">d", number)


def to_ieee754_32(number: float) -> bytes:
    """Return the bytes of a number."""
    return struct.pack(">f", number)


def from_ieee754_64(data: bytes) -> float:
    """Return the number of bytes."""
    return float(_unpacked(">d", data))


def from_ieee754_32(data: bytes) -> float:
    """Return the number of bytes."""
    return float(_unpacked(">f", data))


def url_encode(text: str) -> str:
    """Write a text as a part of a query."""
    return quote_plus(text, safe="*-._").replace("~", "%7E")


def url_decode(text: str) -> str:
    """Read a part of a query."""
    if re.search(r"%(?![0-9A-Fa-f]{2})", text):
        raise invalid_argument(f"URLDecoder: Illegal hex characters in escape (%) pattern - {text}")
    return unquote_plus(text)


def url_extract_protocol(url: str) -> str | None:
    """Return the scheme."""
    return _taken(url, "scheme")


def url_extract_host(url: str) -> str | None:
    """Return the host."""
    return _taken(url, "host")


def url_extract_path(url: str) -> str | None:
    """Return the path."""
    return _taken(url, "path")


def url_extract_query(url: str) -> str | None:
    """Return the query."""
    return _taken(url, "query")


def url_extract_fragment(url: str) -> str | None:
    """Return the fragment."""
    return _taken(url, "fragment")


def url_extract_port(url: str) -> int | None:
    """Return the port; None if the URL has none."""
    try:
        return urlsplit(url).port if URL.fullmatch(url) else None
    except ValueError:
        return None


def url_extract_parameter(url: str, name: str) -> str | None:
    """Return the value of the first parameter with the name."""
    query = _taken(url, "raw_query")
    for key, value in parse_qsl(query or "", keep_blank_values=True):
        if key == name:
            return value
    return None


def _taken(url: str, what: str) -> str | None:
    """Return a part of a URL: an empty text if the URL lacks it, None if it is no URL."""
    if not URL.fullmatch(url) or re.search(r"%(?![0-9A-Fa-f]{2})", url):
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    scheme = url.partition(":")[0] if parts.scheme else ""
    host = parts.netloc.rpartition("@")[2]
    host = re.sub(r":\d*$", "", host)
    query = unquote_plus(parts.query.replace("+", "%2B"))
    held = {
        "scheme": scheme,
        "host": host,
        "path": unquote_plus(parts.path.replace("+", "%2B")),
        "query": query,
        "raw_query": parts.query,
        "fragment": unquote_plus(parts.fragment.replace("+", "%2B")),
    }
    return held[what]


def _decoded(text: str | bytes, decode: object, extra: str) -> bytes:
    data = text.encode() if isinstance(text, str) else text
    if re.fullmatch(rb"[A-Za-z0-9%s]*=*" % re.escape(extra).encode(), data) is None or len(data) % 4 == 1:
        raise invalid_argument("Illegal base64 character or length")
    return decode(data + b"=" * (-len(data) % 4))  # type: ignore[operator,no-any-return]


def _unpacked(layout: str, data: bytes) -> float:
    size = struct.calcsize(layout)
    if len(data) != size:
        raise invalid_argument(f"expected {size}-byte input, but got instead: {len(data)}")
    return struct.unpack(layout, data)[0]  # type: ignore[no-any-return]


for _name in ("varchar", "varbinary"):
    simple(f"from_base64({_name}) -> varbinary", from_base64)
    simple(f"from_base64url({_name}) -> varbinary", from_base64url)
    simple(f"from_base32({_name}) -> varbinary", from_base32)
    simple(f"from_hex({_name}) -> varbinary", from_hex)
for _name in ("md5", "sha1", "sha256", "sha512"):
    simple(f"{_name}(varbinary) -> varbinary", digest(_name))  # type: ignore[arg-type]
    simple(f"hmac_{_name}(varbinary, varbinary) -> varbinary", keyed(_name))  # type: ignore[arg-type]
for _name in ("protocol", "host", "path", "query", "fragment"):
    simple(f"url_extract_{_name}(varchar) -> varchar", globals()[f"url_extract_{_name}"])
simple("url_extract_port(varchar) -> bigint", url_extract_port)
simple("url_extract_parameter(varchar, varchar) -> varchar", url_extract_parameter)
simple("url_encode(varchar) -> varchar", url_encode)
simple("url_decode(varchar) -> varchar", url_decode)
simple("to_base64(varbinary) -> varchar", to_base64)
simple("to_base64url(varbinary) -> varchar", to_base64url)
simple("to_base32(varbinary) -> varchar", to_base32)
simple("to_hex(varbinary) -> varchar", to_hex)
simple("to_utf8(varchar) -> varbinary", to_utf8)
simple("from_utf8(varbinary) -> varchar", from_utf8)
simple("from_utf8(varbinary, varchar) -> varchar", from_utf8)
simple("from_utf8(varbinary, bigint) -> varchar", from_utf8_code)
simple("crc32(varbinary) -> bigint", crc32)
simple("to_big_endian_64(bigint) -> varbinary", to_big_endian_64)
simple("to_big_endian_32(integer) -> varbinary", to_big_endian_32)
simple("from_big_endian_64(varbinary) -> bigint", from_big_endian_64)
simple("from_big_endian_32(varbinary) -> integer", from_big_endian_32)
simple("to_ieee754_64(double) -> varbinary", to_ieee754_64)
simple("to_ieee754_32(real) -> varbinary", to_ieee754_32)
simple("from_ieee754_64(varbinary) -> double", from_ieee754_64)
simple("from_ieee754_32(varbinary) -> real", from_ieee754_32)
simple("xxhash64(varbinary) -> varbinary", xxhash64_bytes)
