"""SQL/JSON: json_value, json_query, json_exists, json_object and json_array."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlglot import exp

from etltctl.local.services.athena.dialect import casts
from etltctl.local.services.athena.dialect.casts import cast
from etltctl.local.services.athena.dialect.errors import QueryError, mismatch, syntax, unsupported
from etltctl.local.services.athena.dialect.expressions import Expressions, operator
from etltctl.local.services.athena.dialect.functions.json_casts import SCALARS, CastError
from etltctl.local.services.athena.dialect.functions.json_text import (
    Number,
    PathError,
    items_at,
    parsed,
    read,
    write,
)
from etltctl.local.services.athena.dialect.literals import of_node
from etltctl.local.services.athena.dialect.registry import Call, Modifiers, function
from etltctl.local.services.athena.dialect.trino_types import BOOLEAN, JSON, VARCHAR, Type, array
from etltctl.local.services.athena.dialect.values import Value

RETURNED = ("boolean", "tinyint", "smallint", "integer", "bigint", "real", "double", "decimal", "varchar")


@dataclass(frozen=True)
class _Answers:
    """The answers ON EMPTY and ON ERROR: `NULL`, `ERROR`, `EMPTY ARRAY` or `EMPTY OBJECT`."""

    empty: str = "NULL"
    error: str = "NULL"

    def of(self, which: str, message: str, code: str) -> str | None:
        """Return the answer to a case, or raise its error."""
        answer = self.empty if which == "empty" else self.error
        if answer == "ERROR":
            raise QueryError(code, message)
        return {"EMPTY ARRAY": "[]", "EMPTY OBJECT": "{}"}.get(answer)


def _answers(node: exp.Expr) -> _Answers:
    condition = node.args.get("on_condition")
    if condition is None:
        return _Answers()
    answers = {}
    for key in ("empty", "error"):
        clause = condition.args.get(key)
        if clause is None:
            continue
        if isinstance(clause, exp.Expr):
            raise unsupported("DEFAULT … ON EMPTY and ON ERROR of SQL/JSON")
        answers[key] = str(clause).upper().removesuffix(f" ON {key.upper()}")
    return _Answers(**answers)


def _path_of(node: exp.Expr) -> str:
    parsed(node.name)
    return node.name


def _input(call: Call) -> Value:
    if not call.types[0].is_("varchar", "char", "unknown"):
        raise mismatch(f"Cannot read input of type {call.types[0]} as JSON using formatting JSON", call.node)
    return call.to(0, VARCHAR)


def _named(function_: Callable[..., Any], name: str, *parts: object) -> Callable[..., Any]:
    # DuckDB keeps a function by its name, and each path and its answers make another function.
    mark = hashlib.sha256(repr(parts).encode()).hexdigest()[:8]
    function_.__name__ = f"{name}_{mark}"
    return function_


@operator(exp.JSONValue)
def _json_value(compiler: Expressions, node: exp.Expr) -> Value:
    path, answers = _path_of(node.args["path"]), _answers(node)
    returning = node.args.get("returning")
    kind = of_node(returning) if returning else VARCHAR
    if not kind.is_(*RETURNED):
        raise unsupported(f"json_value returning {kind}")

    def json_value(text: str) -> Any:
        try:
            items = items_at(read(text), path)
            if not items:
                return answers.of("empty", "cannot extract a scalar from no items", "JSON_VALUE_RESULT_ERROR")
            if len(items) > 1 or isinstance(items[0], dict | list):
                raise PathError(
                    "JSON path found multiple items"
                    if len(items) > 1
                    else "JSON path found an item that is not scalar"
                )
            return None if items[0] is None else SCALARS[kind.name](items[0], kind)
        # The order matters: CastError and PathError are ValueErrors, each with Athena's error name.
        except CastError as error:
            return answers.of("error", str(error), "JSON_VALUE_RESULT_ERROR")
        except PathError as error:
            return answers.of("error", str(error), "PATH_EVALUATION_ERROR")
        except ValueError as error:
            return answers.of("error", str(error), "JSON_INPUT_CONVERSION_ERROR")

    call = Call("json_value", [node.this], compiler, Modifiers(), node)
    return call.python(_named(json_value, "json_value", path, answers, str(kind)), _input(call), returns=kind)


@operator(exp.JSONExtract)
def _json_query(compiler: Expressions, node: exp.Expr) -> Value:
    path, answers = _path_of(node.expression), _answers(node)
    wrapper = str(node.args["option"].name if node.args.get("option") else "WITHOUT").upper()
    quote = node.args.get("quote")
    omits = quote is not None and str(quote.args.get("option")).upper() == "OMIT"
    if omits and wrapper.startswith("WITH "):
        raise syntax("OMIT QUOTES behavior specified with WITH UNCONDITIONAL ARRAY WRAPPER behavior", node)

    def json_query(text: str) -> str | None:
        try:
            items = items_at(read(text), path)
        except PathError as error:
            return answers.of("error", str(error), "PATH_EVALUATION_ERROR")
        except ValueError as error:
            return answers.of("error", str(error), "JSON_INPUT_CONVERSION_ERROR")
        if not items:
            return answers.of("empty", "JSON path found no items", "JSON_QUERY_RESULT_ERROR")
        # A conditional wrapper leaves a single array or object as it is.
        is_nested = len(items) == 1 and isinstance(items[0], dict | list)
        if wrapper.startswith("WITH ") and not ("CONDITIONAL" in wrapper.split() and is_nested):
            return write(items)
        if len(items) > 1:
            return answers.of("error", "JSON path found multiple items", "JSON_QUERY_RESULT_ERROR")
        is_text = isinstance(items[0], str) and not isinstance(items[0], Number)
        return items[0] if omits and is_text else write(items[0])

    call = Call("json_query", [node.this], compiler, Modifiers(), node)
    return call.python(
        _named(json_query, "json_query", path, answers, wrapper, omits), _input(call), returns=VARCHAR
    )


@function("json_exists")
def _json_exists(call: Call) -> Value:
    call.expect(2, 3)
    path = _path_of(call.nodes[1])
    on_error = call.nodes[2].name if len(call.nodes) == 3 else "FALSE"
    if len(call.nodes) == 3 and not isinstance(call.nodes[2], exp.Var):
        raise syntax("mismatched input ','", call.nodes[2])

    def json_exists(text: str) -> bool | None:
        try:
            return bool(items_at(read(text), path))
        except ValueError as error:
            if on_error == "ERROR":
                is_path = isinstance(error, PathError)
                code = "PATH_EVALUATION_ERROR" if is_path else "JSON_INPUT_CONVERSION_ERROR"
                raise QueryError(code, str(error)) from error
            return {"TRUE": True, "FALSE": False}.get(on_error)

    input_ = _input(replace(call, nodes=call.nodes[:1]))
    return call.python(_named(json_exists, "json_exists", path, on_error), input_, returns=BOOLEAN)


def json_object(keys: Sequence[str | None], values: Sequence[str | None], *, keeps_nulls: bool) -> str:
    """Return an object of keys and of the JSON of their values."""
    parts = []
    for key, value in zip(keys, values, strict=True):
        if key is None:
            raise QueryError(
                "INVALID_FUNCTION_ARGUMENT", "null value passed for JSON object key to JSON_OBJECT function"
            )
        if value is not None or keeps_nulls:
            parts.append(f"{write(key)}:{value or 'null'}")
    return "{" + ",".join(parts) + "}"


def json_object_with_nulls(keys: Sequence[str | None], values: Sequence[str | None]) -> str:
    """Return the object with its nulls."""
    return json_object(keys, values, keeps_nulls=True)


def json_object_without_nulls(keys: Sequence[str | None], values: Sequence[str | None]) -> str:
    """Return the object without its nulls."""
    return json_object(keys, values, keeps_nulls=False)


def json_array(values: Sequence[str | None]) -> str:
    """Return an array of the JSON of its elements, without nulls."""
    return f"[{','.join(value for value in values if value is not None)}]"


def json_array_with_nulls(values: Sequence[str | None]) -> str:
    """Return an array of the JSON of its elements, with its nulls."""
    return f"[{','.join(value or 'null' for value in values)}]"


@operator(exp.JSONObject)
def _json_object(compiler: Expressions, node: exp.Expr) -> Value:
    if node.args.get("unique_keys") or node.args.get("return_type") or node.args.get("encoding"):
        raise unsupported("WITH UNIQUE KEYS and RETURNING of json_object")
    pairs = [_pair(pair) for pair in node.expressions]
    keys = [compiler.value(key) for key, _ in pairs]
    if any(not key.type.is_("varchar", "char") for key in keys):
        raise mismatch("Invalid type of JSON object key", node)
    call = Call("json_object", [value for _, value in pairs], compiler, Modifiers(), node)
    build = json_object_without_nulls if _leaves_nulls_out(node, False) else json_object_with_nulls
    values = [
        Value(_listed([casts.coerced(key, VARCHAR).sql for key in keys]), array(VARCHAR)),
        Value(_listed(_jsons(call)), array(VARCHAR)),
    ]
    return call.python(build, *values, returns=VARCHAR)


def _pair(node: exp.Expr) -> tuple[exp.Expr, exp.Expr]:
    """Return the key and the value; sqlglot puts the FORMAT of the value around both."""
    pair = node.this if isinstance(node, exp.FormatJson) else node
    if not isinstance(pair, exp.JSONKeyValue):
        raise syntax("mismatched input in JSON_OBJECT", node)
    value: exp.Expr = pair.expression
    return pair.this, exp.FormatJson(this=value) if isinstance(node, exp.FormatJson) else value


@operator(exp.JSONArray)
def _json_array(compiler: Expressions, node: exp.Expr) -> Value:
    call = Call("json_array", node.expressions, compiler, Modifiers(), node)
    build = json_array if _leaves_nulls_out(node, True) else json_array_with_nulls
    return call.python(build, Value(_listed(_jsons(call)), array(VARCHAR)), returns=VARCHAR)


def _leaves_nulls_out(node: exp.Expr, by_default: bool) -> bool:
    words = str(node.args.get("null_handling") or "").upper()
    return words.startswith("ABSENT") if words else by_default


def _jsons(call: Call) -> list[str]:
    """Return the SQL of the JSON of each value."""
    return [_json(node, call) for node in call.nodes]


def _json(node: exp.Expr, call: Call) -> str:
    compiler, has_format = call.compiler, isinstance(node, exp.FormatJson)
    value = compiler.value(node.this if has_format else node)
    if has_format and not value.type.is_text:
        raise unsupported(f"FORMAT JSON of {value.type}")
    if has_format or isinstance(node, exp.JSONObject | exp.JSONArray | exp.JSONExtract):
        # The FORMAT of a function that returns JSON is implicit: its result is not quoted as a text.
        return call.python(formatted, casts.coerced(value, VARCHAR), returns=VARCHAR).sql
    if value.type.is_("array", "map", "row"):
        raise unsupported(f"a value of {value.type} in {call.name}")
    # Dates, times and UUIDs are JSON texts.
    text = cast(value, VARCHAR, compiler) if _is_moment(value.type) or value.type.is_("uuid") else value
    return cast(text, JSON, compiler).sql


def formatted(text: str) -> str:
    """Return the JSON of a text that is JSON, without blanks."""
    try:
        return write(read(text))
    except ValueError as error:
        raise QueryError(
            "JSON_INPUT_CONVERSION_ERROR", "conversion to JSON failed: the text is not JSON"
        ) from error


def _is_moment(kind: Type) -> bool:
    return kind.name.startswith(("time", "date", "interval"))


def _listed(parts: Sequence[str]) -> str:
    return f"CAST([{', '.join(parts)}] AS VARCHAR[])"
