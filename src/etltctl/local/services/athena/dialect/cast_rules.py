"""The rules of casts between booleans, numbers and texts."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import TYPE_CHECKING

from etltctl.local.services.athena.dialect import casts
from etltctl.local.services.athena.dialect.arithmetic import EXACT
from etltctl.local.services.athena.dialect.casts import cast_rule
from etltctl.local.services.athena.dialect.errors import QueryError, failure
from etltctl.local.services.athena.dialect.rendering import scientific, scientific_real
from etltctl.local.services.athena.dialect.trino_types import BOOLEAN, DOUBLE, VARCHAR, Type
from etltctl.local.services.athena.dialect.values import Udf, Value
from etltctl.values import quoted_text

if TYPE_CHECKING:
    from etltctl.local.services.athena.dialect.expressions import Expressions


WHOLE = "tinyint|smallint|integer|bigint"
BITS = {"tinyint": 8, "smallint": 16, "integer": 32, "bigint": 64}
NAMES = {"integer": "INT", "bigint": "BIGINT", "smallint": "SMALLINT", "tinyint": "TINYINT"}
NUMBER = r"[+-]?(NaN|Infinity|([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?[fFdD]?)"


def python(function: object, value: Value, to: Type, compiler: Expressions) -> Value:
    """Return the value as a Python function turns it."""
    udf = Udf.of(function, [value.type], to)  # type: ignore[arg-type]
    compiler.udfs[udf.name] = udf
    return Value(f"{udf.name}({value.sql})", to)


@cast_rule(WHOLE, *WHOLE.split("|"))
def _whole(value: Value, to: Type, compiler: Expressions) -> Value:
    if BITS[value.type.name] <= BITS[to.name]:
        return casts.coerced(value, to)
    # DuckDB refuses it too, but in other words; clients match Athena's error name and text.
    return _in_range(value.sql, value.sql, to, "NUMERIC_VALUE_OUT_OF_RANGE", f"Out of range for {to.name}: ")


def _in_range(test: str, sql: str, to: Type, code: str, words: str) -> Value:
    limit = 2 ** (BITS[to.name] - 1)
    shown = f"CAST({test} AS VARCHAR)"
    fits = f"{test} BETWEEN {-limit} AND {limit - 1}"
    return Value(
        f"(CASE WHEN {test} IS NULL THEN NULL WHEN {fits} THEN CAST({sql} AS {to.duckdb})"
        f" ELSE {failure(to, code, quoted_text(words), shown)} END)",
        to,
    )


@cast_rule("decimal", *WHOLE.split("|"))
def _decimal_to_whole(value: Value, to: Type, compiler: Expressions) -> Value:
    rounded = f"CAST({value.sql} AS DECIMAL(38, 0))" if value.type.scale else value.sql
    return _in_range(rounded, rounded, to, "INVALID_CAST_ARGUMENT", f"Cannot cast to {NAMES[to.name]}: ")


@cast_rule("double|real", *WHOLE.split("|"))
def _floating_to_whole(value: Value, to: Type, compiler: Expressions) -> Value:
    # `cast(2.5e0 as integer)` is 3 in Trino. DuckDB's cast rounds half to even, to 2; its round() does not.
    rounded = f"round(CAST({value.sql} AS DOUBLE))"
    # The limits are doubles, which cannot hold 2^63 - 1: it would be rounded up to 2^63.
    limit = 2.0 ** (BITS[to.name] - 1)
    fits = f"{rounded} >= {-limit!r}::DOUBLE AND {rounded} < {limit!r}::DOUBLE"
    words = quoted_text(f"Out of range for {to.name}: ")
    refusal = failure(to, "INVALID_CAST_ARGUMENT", words, f"CAST({value.sql} AS VARCHAR)")
    return Value(
        f"(CASE WHEN {value.sql} IS NULL THEN NULL WHEN {fits} THEN CAST({rounded} AS {to.duckdb}) ELSE {refusal} END)",
        to,
    )


@cast_rule("decimal|double|real|" + WHOLE, "boolean")
def _number_to_boolean(value: Value, to: Type, compiler: Expressions) -> Value:
    return Value(f"({value.sql} <> 0)", BOOLEAN)


@cast_rule("boolean", *WHOLE.split("|"), "double", "real", "decimal")
def _boolean_to_number(value: Value, to: Type, compiler: Expressions) -> Value:
    return Value(f"CAST(CAST({value.sql} AS INTEGER) AS {to.duckdb})", to)


@cast_rule("decimal|" + WHOLE, "double", "real")
def _exact_to_floating(value: Value, to: Type, compiler: Expressions) -> Value:
    return Value(f"CAST({value.sql} AS {to.duckdb})", to)


@cast_rule("double", "real")
def _double_to_real(value: Value, to: Type, compiler: Expressions) -> Value:
    return python(_as_real, value, to, compiler)


def _as_real(value: float) -> float:
    """Cast to real. A double beyond the range of real is infinite in Java; DuckDB refuses it."""
    largest = 3.4028235677973366e38  # from here on a double rounds to infinity
    return value if abs(value) < largest else value * float("inf")


@cast_rule("decimal|" + WHOLE, "decimal")
def _exact_to_decimal(value: Value, to: Type, compiler: Expressions) -> Value:
    kind = value.type
    if kind.precision - kind.scale <= to.precision - to.scale and kind.scale <= to.scale:
        return Value(f"CAST({value.sql} AS {to.duckdb})", to)
    words = f"Cannot cast {str(kind).upper()} to {str(to).upper()}: "
    # Before it is rounded the number needs all of its digits, and DuckDB has 38 of them.
    room = 38 - (kind.precision - kind.scale)
    scale = min(to.scale, room) if kind.scale > to.scale else kind.scale
    wide = f"CAST({value.sql} AS DECIMAL(38, {scale}))"
    # The greatest number that fits, and not the first that does not, which may need a 39th digit.
    greatest = f"{'9' * (to.precision - to.scale) or '0'}.{'9' * scale or '0'}"
    fits = (
        f"abs({wide}) <= CAST('{greatest}' AS DECIMAL(38, {scale}))"
        if to.precision - to.scale < 38
        else "true"
    )
    refusal = failure(to, "INVALID_CAST_ARGUMENT", quoted_text(words), f"CAST({value.sql} AS VARCHAR)")
    return Value(
        f"(CASE WHEN {value.sql} IS NULL THEN NULL WHEN {fits} THEN CAST({wide} AS {to.duckdb}) ELSE {refusal} END)",
        to,
    )


@cast_rule("double|real", "decimal")
def _floating_to_decimal(value: Value, to: Type, compiler: Expressions) -> Value:
    udf = Udf.of(_double_decimal, [DOUBLE, Type("integer"), Type("integer")], to)
    compiler.udfs[udf.name] = udf
    return Value(f"{udf.name}(CAST({value.sql} AS DOUBLE), {to.precision}, {to.scale})", to)


def _double_decimal(value: float, precision: int, scale: int) -> Decimal:
    if value != value or value in (float("inf"), float("-inf")):
        raise QueryError(
            "INVALID_CAST_ARGUMENT", f"Cannot cast DOUBLE '{value}' to DECIMAL({precision}, {scale})"
        )
    return _quantized(Decimal(value), precision, scale, f"DOUBLE '{value}'")


def _quantized(value: Decimal, precision: int, scale: int, what: str) -> Decimal:
    # A number of more than 39 digits fits no decimal, and Python's quantize would raise another error.
    rounded = (
        value.quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP, EXACT)
        if value.copy_abs() < Decimal(10) ** 39
        else value
    )
    # abs() would round to 28 digits.
    if rounded.copy_abs() >= Decimal(10) ** (precision - scale):
        raise QueryError("INVALID_CAST_ARGUMENT", f"Cannot cast {what} to DECIMAL({precision}, {scale})")
    return rounded


@cast_rule("varchar|char", "decimal")
def _text_to_decimal(value: Value, to: Type, compiler: Expressions) -> Value:
    udf = Udf.of(_read_decimal, [VARCHAR, Type("integer"), Type("integer")], to)
    compiler.udfs[udf.name] = udf
    return Value(f"{udf.name}({value.sql}, {to.precision}, {to.scale})", to)


def _read_decimal(written: str, precision: int, scale: int) -> Decimal:
    what = f"VARCHAR '{written}'"
    # Python's Decimal would also read 'NaN', '1_000' and digits of other scripts.
    if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", written):
        raise QueryError(
            "INVALID_CAST_ARGUMENT",
            f"Cannot cast {what} to DECIMAL({precision}, {scale}). Value is not a number.",
        )
    try:
        return _quantized(Decimal(written), precision, scale, what)
    except InvalidOperation as error:
        raise QueryError(
            "INVALID_CAST_ARGUMENT", f"Cannot cast {what} to DECIMAL({precision}, {scale})"
        ) from error


@cast_rule("varchar|char", *WHOLE.split("|"))
def _text_to_whole(value: Value, to: Type, compiler: Expressions) -> Value:
    refusal = failure(
        to,
        "INVALID_CAST_ARGUMENT",
        quoted_text("Cannot cast '"),
        value.sql,
        quoted_text(f"' to {NAMES[to.name]}"),
    )
    read = f"TRY_CAST({value.sql} AS {to.duckdb})"
    # DuckDB would also read ' 1 ', '1.5' as 2 and '1e3' as 1000; Trino refuses all three.
    good = f"regexp_full_match({value.sql}, '[+-]?[0-9]+') AND {read} IS NOT NULL"
    return Value(f"(CASE WHEN {value.sql} IS NULL THEN NULL WHEN {good} THEN {read} ELSE {refusal} END)", to)


@cast_rule("varchar|char", "double", "real")
def _text_to_floating(value: Value, to: Type, compiler: Expressions) -> Value:
    name = to.name.upper()
    refusal = failure(
        to, "INVALID_CAST_ARGUMENT", quoted_text("Cannot cast '"), value.sql, quoted_text(f"' to {name}")
    )
    # Java's Double.parseDouble takes blanks around the number and a letter after it ('1.5d'), but not 'inf'.
    trimmed = f"trim({value.sql}, ' \t\n\r')"
    read = f"CAST(CAST(regexp_replace({trimmed}, '[fFdD]$', '') AS DOUBLE) AS {to.duckdb})"
    good = f"regexp_full_match({trimmed}, {quoted_text(NUMBER)})"
    return Value(f"(CASE WHEN {value.sql} IS NULL THEN NULL WHEN {good} THEN {read} ELSE {refusal} END)", to)


@cast_rule("varchar|char", "boolean")
def _text_to_boolean(value: Value, to: Type, compiler: Expressions) -> Value:
    refusal = failure(
        to, "INVALID_CAST_ARGUMENT", quoted_text("Cannot cast '"), value.sql, quoted_text("' to BOOLEAN")
    )
    # DuckDB would also take 'yes' and 'y' for true.
    low = f"lower({value.sql})"
    return Value(
        f"(CASE WHEN {value.sql} IS NULL THEN NULL WHEN {low} IN ('t', 'true', '1') THEN true"
        f" WHEN {low} IN ('f', 'false', '0') THEN false ELSE {refusal} END)",
        to,
    )


@cast_rule("varchar|char", "varchar", "char")
def _text(value: Value, to: Type, compiler: Expressions) -> Value:
    kind = value.type
    if not to.parameters:
        return Value(value.sql, to, value.constant)
    # A text that is too long is cut: `cast('abc' as varchar(2))` is 'ab'.
    cut = value.sql
    if not kind.parameters or kind.number > to.number:
        cut = f"left({value.sql}, {to.number})"
    if to.is_("char"):
        cut = f"rpad({cut}, {to.number}, ' ')"
    constant = value.constant[: to.number] if isinstance(value.constant, str) and to.is_("varchar") else None
    return Value(cut, to, constant) if constant is not None else Value(cut, to)


@cast_rule("boolean|" + WHOLE, "varchar", "char")
def _plain_to_text(value: Value, to: Type, compiler: Expressions) -> Value:
    return fitted(f"CAST({value.sql} AS VARCHAR)", to)


@cast_rule("decimal", "varchar", "char")
def _decimal_to_text(value: Value, to: Type, compiler: Expressions) -> Value:
    written = f"CAST({value.sql} AS VARCHAR)"
    # DuckDB writes a decimal(2,2) as `.25`, Trino as `0.25`.
    if value.type.precision == value.type.scale:
        written = f"regexp_replace({written}, '^(-?)[.]', '\\10.')"
    return fitted(written, to)


@cast_rule("double", "varchar", "char")
def _double_to_text(value: Value, to: Type, compiler: Expressions) -> Value:
    # `cast(1e0 as varchar)` is '1.0E0' in Trino and '1.0' in DuckDB.
    return fitted(python(scientific, value, VARCHAR, compiler).sql, to)


@cast_rule("real", "varchar", "char")
def _real_to_text(value: Value, to: Type, compiler: Expressions) -> Value:
    return fitted(python(scientific_real, value, VARCHAR, compiler).sql, to)


def fitted(sql: str, to: Type) -> Value:
    """Return a text that was made of a value as varchar(n) or char(n), which has to hold all of it."""
    if not to.parameters:
        return Value(sql, to)
    # A number's text is not cut as a text is: `cast(12345 as varchar(2))` is an error in Trino.
    words = quoted_text(f" cannot be represented as {to}")
    refusal = failure(to, "INVALID_CAST_ARGUMENT", quoted_text("Value "), sql, words)
    padded = f"rpad({sql}, {to.number}, ' ')" if to.is_("char") else sql
    return Value(
        f"(CASE WHEN {sql} IS NULL THEN NULL WHEN length({sql}) <= {to.number} THEN {padded} ELSE {refusal} END)",
        to,
    )


@cast_rule("varchar", "varbinary")
def _text_to_binary(value: Value, to: Type, compiler: Expressions) -> Value:
    return Value(f"encode({value.sql})", to)


@cast_rule("unknown", "varchar")
def _unknown(value: Value, to: Type, compiler: Expressions) -> Value:
    return Value("CAST(NULL AS VARCHAR)", to)


@cast_rule("uuid", "varchar")
def _uuid_to_text(value: Value, to: Type, compiler: Expressions) -> Value:
    return fitted(value.sql, to)


@cast_rule("varchar", "uuid")
def _text_to_uuid(value: Value, to: Type, compiler: Expressions) -> Value:
    refusal = failure(to, "INVALID_CAST_ARGUMENT", quoted_text("Cannot cast value to UUID: "), value.sql)
    pattern = quoted_text("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
    good = f"regexp_full_match({value.sql}, {pattern})"
    return Value(
        f"(CASE WHEN {value.sql} IS NULL THEN NULL WHEN {good} THEN lower({value.sql}) ELSE {refusal} END)",
        to,
    )
