"""Casts to JSON and from JSON."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from etltctl.local.services.athena.dialect.arithmetic import EXACT
from etltctl.local.services.athena.dialect.cast_rules import BITS, python
from etltctl.local.services.athena.dialect.casts import cast_rule
from etltctl.local.services.athena.dialect.errors import QueryError, mismatch
from etltctl.local.services.athena.dialect.functions.json_text import Number, read, write
from etltctl.local.services.athena.dialect.functions.maps import entries_of
from etltctl.local.services.athena.dialect.rendering import java_double, java_real, scientific
from etltctl.local.services.athena.dialect.trino_types import JSON, Type
from etltctl.local.services.athena.dialect.values import Value

if TYPE_CHECKING:
    from etltctl.local.services.athena.dialect.expressions import Expressions


KEYS = ("boolean", "tinyint", "smallint", "integer", "bigint", "real", "double", "decimal", "varchar")


class CastError(ValueError):
    """A value of JSON that cannot be cast to the type. `code` is Trino's error name."""

    def __init__(self, reason: str = "", code: str = "INVALID_CAST_ARGUMENT") -> None:
        super().__init__(reason)
        self.code = code


def to_json(kind: Type) -> Callable[[Any], str | None]:
    """Return the function that turns a value of a type into JSON; it is called for nulls, too.

    Raises:
        QueryError: TYPE_MISMATCH if Trino does not cast the type to JSON.
    """
    _check(kind, str(kind), "json", is_key=False, times=True)

    def written(value: Any) -> str | None:
        return None if value is None else write(_json_of(value, kind))

    return _named(written, "to_json", kind)


def from_json(kind: Type) -> Callable[[str], Any]:
    """Return the function that turns JSON into a value of a type.

    Raises:
        QueryError: TYPE_MISMATCH if Trino does not cast JSON to the type.
    """
    _check(kind, "json", str(kind), is_key=False, times=False)

    def cast(text: str) -> Any:
        try:
            return _value_of(read(text), kind)
        except CastError as error:
            raise QueryError(error.code, _message(text, kind, str(error))) from error

    return _named(cast, "from_json", kind)


def _named(function: Callable[[Any], Any], name: str, kind: Type) -> Callable[[Any], Any]:
    """Give the function a unique name: two types of Trino can be one in DuckDB."""
    function.__name__ = f"{name}_{hashlib.sha256(str(kind).encode()).hexdigest()[:8]}"
    return function


def _check(kind: Type, source: str, target: str, *, is_key: bool, times: bool) -> None:
    times_of = ("timestamp", "date") if times else ()
    if is_key and not kind.is_(*KEYS):
        raise mismatch(f"Cannot cast {source} to {target}")
    if not kind.is_(*KEYS, "json", "unknown", "array", "map", "row", *times_of):
        raise mismatch(f"Cannot cast {source} to {target}")
    for index, inner in enumerate(kind.inners):
        _check(inner, source, target, is_key=kind.is_("map") and index == 0, times=times)


def _json_of(value: Any, kind: Type) -> Any:
    """Return a value as `write` takes it."""
    if value is None:
        return None
    match kind.name:
        case "array":
            return [_json_of(item, kind.element) for item in value]
        case "map":
            pairs = (
                (_key_of(key, kind.inner(0)), _json_of(item, kind.inner(1)))
                for key, item in entries_of(value)
            )
            # Trino writes the keys of a map in order.
            return dict(sorted(pairs, key=lambda pair: pair[0]))
        case "row":
            fields = kind.fields or (None,) * len(kind.inners)
            named = zip(fields, kind.field_names, kind.inners, strict=True)
            return _Members([(name or "", _json_of(value[held], inner)) for name, held, inner in named])
        case "json":
            return read(value)
        case "boolean":
            return value
        case "date" | "timestamp":
            return _time_text(value, kind)
        case "real" | "double":
            return _double_text(value, is_real=kind.name == "real")
        case "varchar":
            return str(value)
    return Number(f"{value:f}" if isinstance(value, Decimal) else value)


class _Members(dict[str, Any]):
    """The members of a row, of which two may have one name."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self._pairs = pairs

    def items(self) -> Any:
        """Return every member."""
        return self._pairs


def _key_of(value: Any, kind: Type) -> str:
    text = _json_of(value, kind)
    return ("true" if text else "false") if isinstance(text, bool) else str(text)


def _time_text(value: date | datetime, kind: Type) -> str:
    if not isinstance(value, datetime):
        return value.isoformat()
    digits = kind.number
    fraction = f".{value.microsecond:06d}"[: digits + 1] if digits else ""
    return value.strftime("%Y-%m-%d %H:%M:%S") + fraction


def _double_text(value: float, *, is_real: bool) -> Any:
    text = java_real(value) if is_real else java_double(value)
    # JSON has no NaN and no infinity, so these are texts.
    return text if "N" in text or "I" in text else Number(text)


def _value_of(value: Any, kind: Type) -> Any:
    if kind.is_("json"):
        return write(value)
    if value is None:
        return None
    match kind.name:
        case "array":
            if not isinstance(value, list):
                raise CastError(f"Expected a json array, but got {_start(value)}")
            return [_value_of(item, kind.element) for item in value]
        case "map":
            if not isinstance(value, dict):
                raise CastError(f"Expected a json object, but got {_start(value)}")
            # Keys are texts in JSON, and take the map's type: {"1": …} can be a map of integers.
            keys = [_value_of(key, kind.inner(0)) for key in value]
            if len(set(keys)) < len(keys):
                raise CastError("Duplicate keys are not allowed")
            return {"key": keys, "value": [_value_of(item, kind.inner(1)) for item in value.values()]}
        case "row":
            return _row_of(value, kind)
    if isinstance(value, dict | list):
        raise CastError(f"Unexpected token when cast to {kind}: {_start(value)}")
    return SCALARS[kind.name](value, kind)


def _row_of(value: Any, kind: Type) -> dict[str, Any]:
    held = kind.field_names
    if isinstance(value, list):
        if len(value) != len(kind.inners):
            raise CastError("Expected json array with as many elements as the row has fields")
        pairs = zip(held, value, kind.inners, strict=True)
        return {name: _value_of(item, inner) for name, item, inner in pairs}
    if not isinstance(value, dict):
        raise CastError(f"Expected a json array or object, but got {_start(value)}")
    # Fields of rows have no case; a field that is missing is null.
    lowered = {str(key).lower(): item for key, item in value.items()}
    return {name: _value_of(lowered.get(name), inner) for name, inner in zip(held, kind.inners, strict=True)}


def _boolean(value: Any, kind: Type) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, Number):
        if value.is_whole and not -(2**63) <= int(value) < 2**63:
            raise CastError(f"Cannot cast '{value}' to {kind}")
        return float(value) != 0
    words = {"t": True, "true": True, "1": True, "f": False, "false": False, "0": False}
    if str(value).lower() not in words:
        raise CastError(f"Cannot cast '{value}' to BOOLEAN")
    return words[str(value).lower()]


def _integer(value: Any, kind: Type) -> int:
    limit = 1 << (BITS[kind.name] - 1)
    if isinstance(value, bool):
        return int(value)
    code = "INVALID_CAST_ARGUMENT"
    try:
        if isinstance(value, Number) and not value.is_whole:
            code = "NUMERIC_VALUE_OUT_OF_RANGE"
            # A fraction is read as a double before it is rounded, as Trino does.
            rounded = float(value)
            number = int(Decimal(rounded).quantize(Decimal(1), ROUND_HALF_UP, EXACT))
        else:
            number = _plain_integer(str(value))
    except (ValueError, OverflowError, InvalidOperation) as error:
        raise CastError(f"Cannot cast '{value}' to {kind.name.upper()}", code) from error
    if not -limit <= number < limit:
        raise CastError(f"Cannot cast '{value}' to {kind.name.upper()}", code)
    return number


def _plain_integer(text: str) -> int:
    if "_" in text or text != text.strip():
        raise ValueError(text)
    return int(text)


def _double(value: Any, kind: Type) -> float:
    if isinstance(value, bool):
        return float(value)
    try:
        if "_" in str(value) or str(value).lower().lstrip("+-") in ("inf", "infinity", "nan"):
            return {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf, "+Infinity": math.inf}[
                str(value)
            ]
        return float(str(value))
    except (ValueError, KeyError) as error:
        raise CastError(f"Cannot cast '{value}' to {kind.name.upper()}") from error


def _decimal(value: Any, kind: Type) -> Decimal:
    try:
        number = Decimal(int(value)) if isinstance(value, bool) else Decimal(str(value))
        rounded = number.quantize(Decimal(1).scaleb(-kind.scale), ROUND_HALF_UP, EXACT)
    except (InvalidOperation, ValueError) as error:
        raise CastError("") from error
    if rounded.copy_abs() >= Decimal(10) ** (kind.precision - kind.scale):
        raise CastError(
            "Cannot cast input json to " + str(kind).upper().replace(" ", ""), "NUMERIC_VALUE_OUT_OF_RANGE"
        )
    return rounded


def _varchar(value: Any, kind: Type) -> str:
    if isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, Number) and not value.is_whole:
        number = float(value)
        text = scientific(number)
    else:
        text = str(value)
    if kind.parameters and len(text) > kind.number:
        raise CastError(f"Cannot cast '{json.dumps(text, ensure_ascii=False)}' to {kind}")
    return text


SCALARS: dict[str, Callable[[Any, Type], Any]] = {
    "boolean": _boolean,
    "tinyint": _integer,
    "smallint": _integer,
    "integer": _integer,
    "bigint": _integer,
    "real": _double,
    "double": _double,
    "decimal": _decimal,
    "varchar": _varchar,
}


def _start(value: Any) -> str:
    return "{" if isinstance(value, dict) else ("[" if isinstance(value, list) else write(value))


def _message(text: str, kind: Type, reason: str) -> str:
    shown = text if len(text) <= 10_000 else text[:10_000] + "...(truncated)"
    if kind.is_("array", "map", "row"):
        return f"Cannot cast to {kind}. {reason}\n{shown}"
    if reason.startswith("Cannot cast input json"):
        return reason
    return f"Cannot cast '{shown}' to {str(kind).replace(', ', ',')}"


@cast_rule("|".join((*KEYS, "date", "timestamp", "array", "map", "row")), "json")
def _to_json(value: Value, _: Type, compiler: Expressions) -> Value:
    return python(to_json(value.type), value, JSON, compiler)


@cast_rule("json", *KEYS, "array", "map", "row")
def _from_json(value: Value, to: Type, compiler: Expressions) -> Value:
    return python(from_json(to), value, to, compiler)
