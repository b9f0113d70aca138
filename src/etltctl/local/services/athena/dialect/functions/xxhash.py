"""xxHash64 with seed 0, by its published specification (doc/xxhash_spec.md of Cyan4973/xxHash)."""

from __future__ import annotations

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
