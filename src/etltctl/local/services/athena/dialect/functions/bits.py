"""Bitwise functions and uuid."""

from __future__ import annotations

from etltctl.local.services.athena.dialect import coercion
from etltctl.local.services.athena.dialect.errors import invalid_argument
from etltctl.local.services.athena.dialect.registry import Call, function, simple
from etltctl.local.services.athena.dialect.trino_types import BIGINT, Type
from etltctl.local.services.athena.dialect.values import Value

BITS = {"tinyint": 8, "smallint": 16, "integer": 32, "bigint": 64}

simple("bitwise_and(bigint, bigint) -> bigint", "{0} & {1}")
simple("bitwise_or(bigint, bigint) -> bigint", "{0} | {1}")
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
    return call.python(shift, call.args[0], coercion.coerced(call.args[1], BIGINT), bits, returns=kind)


def _signed(number: int, bits: int) -> int:
    number &= (1 << bits) - 1
    return number - (1 << bits) if number >> (bits - 1) else number


def _left(number: int, by: int, bits: int) -> int:
    return 0 if not 0 <= by < bits else _signed(number << by, bits)


def _right(number: int, by: int, bits: int) -> int:
    return 0 if not 0 <= by < bits else _signed((number & ((1 << bits) - 1)) >> by, bits)


def _right_arithmetic(number: int, by: int, bits: int) -> int:
    return (-1 if number < 0 else 0) if not 0 <= by < bits else number >> by


@function("uuid")
def _uuid(call: Call) -> Value:
    call.expect(0)
    return Value("CAST(uuid() AS VARCHAR)", Type("uuid"))
