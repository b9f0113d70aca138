"""Logic and conditions: AND, OR, NOT, CASE, IF, COALESCE, NULLIF, TRY, GREATEST and LEAST."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from sqlglot import exp

from etltctl.local.services.athena.dialect import casts
from etltctl.local.services.athena.dialect.casts import common_type_of
from etltctl.local.services.athena.dialect.comparisons import compared, equality
from etltctl.local.services.athena.dialect.errors import QueryError, mismatch
from etltctl.local.services.athena.dialect.expressions import Expressions, operator
from etltctl.local.services.athena.dialect.registry import Call, function
from etltctl.local.services.athena.dialect.trino_types import BOOLEAN, UNKNOWN
from etltctl.local.services.athena.dialect.values import Value


@operator(exp.And, exp.Or)
def _logic(compiler: Expressions, node: exp.Expr) -> Value:
    word = "AND" if isinstance(node, exp.And) else "OR"
    # DuckDB would take a number for a truth value; Trino refuses `1 AND true`.
    parts = [compiler.condition(part, "Logical expression term") for part in (node.this, node.expression)]
    return Value(f"({parts[0]} {word} {parts[1]})", BOOLEAN)


@operator(exp.Not)
def _not(compiler: Expressions, node: exp.Expr) -> Value:
    return Value(f"(NOT {compiler.condition(node.this, 'Value of logical NOT expression')})", BOOLEAN)


@operator(exp.Case)
def _case(compiler: Expressions, node: exp.Expr) -> Value:
    operand = compiler.value(node.this) if node.this is not None else None
    conditions, results = [], []
    for branch in node.args["ifs"]:
        if operand is None:
            conditions.append(compiler.condition(branch.this, "CASE WHEN clause"))
        else:
            # `CASE x WHEN …` compares by Trino's rules, so the equalities are written out.
            conditions.append(equality(operand, compiler.value(branch.this), branch).sql)
        results.append(compiler.value(branch.args["true"]))
    default = node.args.get("default")
    other = compiler.value(default) if default is not None else Value("NULL", UNKNOWN)
    return chosen(conditions, results, other, node)


@operator(exp.If)
def _if_form(compiler: Expressions, node: exp.Expr) -> Value:
    condition = compiler.condition(node.this, "IF condition")
    false = node.args.get("false")
    other = compiler.value(false) if false is not None else Value("NULL", UNKNOWN)
    return chosen([condition], [compiler.value(node.args["true"])], other, node)


def chosen(conditions: Sequence[str], results: Sequence[Value], other: Value, node: exp.Expr | None) -> Value:
    """Return CASE with its results turned into their common type."""
    kind = common_type_of([*results, other], "All CASE results", node)
    parts = [
        f"WHEN {condition} THEN {casts.coerced(result, kind).sql}"
        for condition, result in zip(conditions, results, strict=True)
    ]
    return Value(f"(CASE {' '.join(parts)} ELSE {casts.coerced(other, kind).sql} END)", kind)


@function("coalesce")
def _coalesce(call: Call) -> Value:
    if len(call.args) < 2:
        raise QueryError(
            "INVALID_FUNCTION_ARGUMENT", "The 'coalesce' function must have at least two arguments"
        )
    kind = common_type_of(call.args, "All COALESCE operands", call.node)
    return Value(f"coalesce({', '.join(casts.coerced(v, kind).sql for v in call.args)})", kind)


@function("nullif")
def _nullif(call: Call) -> Value:
    call.expect(2)
    first, second = call.args
    return Value(
        f"(CASE WHEN {equality(first, second, call.node).sql} THEN NULL ELSE {first.sql} END)", first.type
    )


@function("if")
def _if(call: Call) -> Value:
    call.expect(2, 3)
    condition = call.compiler.condition(call.nodes[0], "IF condition")
    other = call.args[2] if len(call.args) == 3 else Value("NULL", UNKNOWN)
    return chosen([condition], [call.args[1]], other, call.node)


@function("try")
def _try(call: Call) -> Value:
    call.expect(1)
    # DuckDB's TRY makes null of the errors of casts and functions, as Trino's does.
    return Value(f"TRY({call.args[0].sql})", call.args[0].type)


@function("greatest", "least")
def _extreme(call: Call) -> Value:
    if not call.args:
        raise call.unexpected()
    kind = common_type_of(call.args, f"All {call.name.upper()} operands", call.node)
    if kind.is_("map", "json", "row", "array"):
        raise mismatch(f"Type {kind} is not orderable", call.node)
    values = [casts.coerced(value, kind) for value in call.args]
    if kind.is_zoned:
        sign = ">=" if call.name == "greatest" else "<="
        return reduce(lambda a, b: chosen([compared(sign, a, b).sql], [a], b, call.node), values)
    # A null makes the whole null in Trino. DuckDB's greatest leaves it out.
    nulls = " OR ".join(f"{value.sql} IS NULL" for value in values)
    best = f"{call.name}({', '.join(value.sql for value in values)})"
    if call.name == "greatest" and kind.is_floating:
        # Trino's greatest is NaN only if every number is; DuckDB leaves out nulls, and takes a NaN for the greatest.
        numbers = ", ".join(
            f"CASE WHEN isnan({value.sql}) THEN NULL ELSE {value.sql} END" for value in values
        )
        best = f"coalesce(greatest({numbers}), {best})"
    return Value(f"(CASE WHEN {nulls} THEN NULL ELSE {best} END)", kind)
