"""Operators: arithmetic, comparison, logic, and the conditional forms."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from etltctl.local.athena.dialect import coercion
from etltctl.local.athena.dialect.arithmetic import arithmetic, negated
from etltctl.local.athena.dialect.comparisons import compared, distinct_from, equality
from etltctl.local.athena.dialect.errors import QueryError, mismatch, place, syntax, unsupported
from etltctl.local.athena.dialect.expressions import Expressions, operator
from etltctl.local.athena.dialect.trino_types import BOOLEAN, UNKNOWN, Type
from etltctl.local.athena.dialect.values import Value

SIGNS: dict[type[exp.Expr], str] = {
    exp.Add: "+",
    exp.Sub: "-",
    exp.Mul: "*",
    exp.Div: "/",
    exp.Mod: "%",
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
}


@operator(exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod)
def _arithmetic(compiler: Expressions, node: exp.Expr) -> Value:
    left, right = compiler.value(node.this), compiler.value(node.expression)
    return arithmetic(SIGNS[type(node)], left, right, node, compiler)


@operator(exp.Neg)
def _negative(compiler: Expressions, node: exp.Expr) -> Value:
    return negated(compiler.value(node.this), node)


@operator(exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE)
def _comparison(compiler: Expressions, node: exp.Expr) -> Value:
    sign = SIGNS[type(node)]
    if (quantified := _quantifier(node.expression)) is not None:
        return _quantified(compiler, node, sign, *quantified)
    return compared(sign, compiler.value(node.this), compiler.value(node.expression), node)


def _quantifier(node: exp.Expr) -> tuple[str, exp.Expr] | None:
    if isinstance(node, exp.Any):
        return "ANY", node.this
    if isinstance(node, exp.All):
        return "ALL", node.this
    if (
        isinstance(node, exp.Anonymous)
        and node.name.lower() in ("all", "any", "some")
        and len(node.expressions) == 1
    ):
        return ("ALL" if node.name.lower() == "all" else "ANY"), node.expressions[0]
    return None


def _quantified(compiler: Expressions, node: exp.Expr, sign: str, word: str, query: exp.Expr) -> Value:
    value, inner = compiler.value(node.this), compiler.queries.query(query, compiler.scope)
    if len(inner.columns) != 1:
        raise mismatch("Multiple columns returned by subquery are not yet supported.", node)
    kind = inner.columns[0].type
    common = coercion.common(value.type, kind)
    if common is None:
        raise mismatch(
            f"Value expression and result of subquery must be of the same type: {value.type} vs {kind}", node
        )
    if common.is_floating or common.is_zoned or common.is_("array", "map", "row", "char"):
        raise unsupported(f"a quantified comparison of {common}")
    return Value(f"({coercion.coerced(value, common).sql} {sign} {word} ({inner.sql}))", BOOLEAN)


@operator(exp.NullSafeEQ, exp.NullSafeNEQ)
def _null_safe(compiler: Expressions, node: exp.Expr) -> Value:
    same = isinstance(node, exp.NullSafeEQ)
    return distinct_from(compiler.value(node.this), compiler.value(node.expression), node, same=same)


@operator(exp.And, exp.Or)
def _logic(compiler: Expressions, node: exp.Expr) -> Value:
    word = "AND" if isinstance(node, exp.And) else "OR"
    parts = [compiler.condition(part, "Logical expression term") for part in (node.this, node.expression)]
    return Value(f"({parts[0]} {word} {parts[1]})", BOOLEAN)


@operator(exp.Not)
def _not(compiler: Expressions, node: exp.Expr) -> Value:
    return Value(f"(NOT {compiler.condition(node.this, 'Value of logical NOT expression')})", BOOLEAN)


@operator(exp.Is)
def _is(compiler: Expressions, node: exp.Expr) -> Value:
    if not isinstance(node.expression, exp.Null):
        raise syntax(
            f"mismatched input '{node.expression.sql()}'. Expecting: 'DISTINCT', 'NOT', 'NULL'", node
        )
    return Value(f"({compiler.value(node.this).sql} IS NULL)", BOOLEAN)


@operator(exp.Between)
def _between(compiler: Expressions, node: exp.Expr) -> Value:
    if node.args.get("symmetric"):
        raise syntax("mismatched input 'SYMMETRIC'", node)
    value, low, high = (compiler.value(node.args[key]) for key in ("this", "low", "high"))
    first, second = compared(">=", value, low, node), compared("<=", value, high, node)
    return Value(f"({first.sql} AND {second.sql})", BOOLEAN)


@operator(exp.In)
def _in(compiler: Expressions, node: exp.Expr) -> Value:
    if node.args.get("unnest") or node.args.get("field"):
        raise syntax("mismatched input in IN", node)
    if (query := node.args.get("query")) is not None:
        return _in_query(compiler, node, query)
    value, items = compiler.value(node.this), [compiler.value(item) for item in node.expressions]
    return one_of(value, items, node)


def one_of(value: Value, items: Sequence[Value], node: exp.Expr) -> Value:
    """Return whether a value is in a list."""
    common: Type | None = value.type
    for item in items:
        common = coercion.common(common, item.type) if common is not None else None
        if common is None:
            raise mismatch(
                "IN value and list items must be the same type or coercible to a common type. "
                f"Cannot find common type between {value.type} and {item.type}, all types (without duplicates): "
                f"[{', '.join(dict.fromkeys(str(v.type) for v in (value, *items)))}]",
                node,
            )
    assert common is not None
    if common.is_floating or common.is_zoned or common.is_("array", "map", "row", "char", "json"):
        parts = [equality(value, item, node).sql for item in items]
        return Value(f"({' OR '.join(parts)})", BOOLEAN)
    options = ", ".join(coercion.coerced(item, common).sql for item in items)
    return Value(f"({coercion.coerced(value, common).sql} IN ({options}))", BOOLEAN)


def _in_query(compiler: Expressions, node: exp.Expr, query: exp.Expr) -> Value:
    inner = compiler.queries.query(query, compiler.scope)
    value = compiler.value(node.this)
    if len(inner.columns) != 1:
        raise unsupported("IN with a subquery of more than one column")
    kind = inner.columns[0].type
    common = coercion.common(value.type, kind)
    if common is None:
        raise mismatch(
            f"value and result of subquery must be of the same type for IN expression: {value.type} vs {kind}",
            node,
        )
    if common.is_zoned or common.is_("array", "map", "row", "char", "json"):
        raise unsupported(f"IN with a subquery of {common}")
    column = Value("v.c", kind)
    inside = f"SELECT {coercion.coerced(column, common).sql} FROM ({inner.sql}) v(c)"
    if common.is_floating:  # NaN is equal to nothing
        inside += " WHERE v.c IS NULL OR NOT isnan(v.c)"
    return Value(f"({coercion.coerced(value, common).sql} IN ({inside}))", BOOLEAN)


@operator(exp.Case)
def _case(compiler: Expressions, node: exp.Expr) -> Value:
    operand = compiler.value(node.this) if node.this is not None else None
    conditions, results = [], []
    for branch in node.args["ifs"]:
        if operand is None:
            conditions.append(compiler.condition(branch.this, "CASE WHEN clause"))
        else:
            conditions.append(equality(operand, compiler.value(branch.this), branch).sql)
        results.append(compiler.value(branch.args["true"]))
    default = node.args.get("default")
    other = compiler.value(default) if default is not None else Value("NULL", UNKNOWN)
    return chosen(conditions, results, other, node)


@operator(exp.If)
def _if(compiler: Expressions, node: exp.Expr) -> Value:
    condition = compiler.condition(node.this, "IF condition")
    false = node.args.get("false")
    other = compiler.value(false) if false is not None else Value("NULL", UNKNOWN)
    return chosen([condition], [compiler.value(node.args["true"])], other, node)


def chosen(conditions: Sequence[str], results: Sequence[Value], other: Value, node: exp.Expr | None) -> Value:
    """Return CASE with its results turned into their common type."""
    kind = common_of([*results, other], "All CASE results", node)
    parts = [
        f"WHEN {condition} THEN {coercion.coerced(result, kind).sql}"
        for condition, result in zip(conditions, results, strict=True)
    ]
    return Value(f"(CASE {' '.join(parts)} ELSE {coercion.coerced(other, kind).sql} END)", kind)


def common_of(values: Sequence[Value], what: str, node: exp.Expr | None) -> Type:
    """Return the common type of the values, or refuse them in Athena's words."""
    kind: Type | None = values[0].type
    for value in values[1:]:
        before, kind = kind, coercion.common(kind, value.type) if kind is not None else None
        if kind is None:
            raise mismatch(
                f"{what} must be the same type or coercible to a common type. Cannot find common type between "
                f"{before} and {value.type}, all types (without duplicates): "
                f"[{', '.join(dict.fromkeys(str(v.type) for v in values))}]",
                node,
            )
    assert kind is not None
    return kind


@operator(exp.Like, exp.Escape)
def _like(compiler: Expressions, node: exp.Expr) -> Value:
    like, escape = (
        (node.this, compiler.value(node.expression)) if isinstance(node, exp.Escape) else (node, None)
    )
    if not isinstance(like, exp.Like):
        raise syntax("mismatched input 'ESCAPE'", node)
    value, pattern = compiler.value(like.this), compiler.value(like.expression)
    for part, name in ((value, "Left side of LIKE expression"), (pattern, "Pattern for LIKE expression")):
        if not part.type.is_("varchar", "char", "unknown"):
            raise mismatch(f"{name} must evaluate to a varchar (actual: {part.type})", node)
    word = "NOT LIKE" if like.args.get("negate") else "LIKE"
    if escape is None:
        return Value(f"({value.sql} {word} {pattern.sql})", BOOLEAN)
    if escape.is_constant and len(str(escape.constant)) != 1:
        raise QueryError(
            "INVALID_FUNCTION_ARGUMENT", f"{place(node)}: Escape string must be a single character"
        )
    if isinstance(pattern.constant, str) and escape.is_constant:
        _check_escapes(pattern.constant, str(escape.constant))
    return Value(f"({value.sql} {word} {pattern.sql} ESCAPE {escape.sql})", BOOLEAN)


def _check_escapes(pattern: str, escape: str) -> None:
    """Refuse an escape character before anything but a wildcard or itself, which DuckDB would let pass."""
    at = 0
    while at < len(pattern):
        if pattern[at] == escape:
            at += 1
            if pattern[at : at + 1] not in ("%", "_", escape):
                raise QueryError(
                    "INVALID_FUNCTION_ARGUMENT",
                    "Escape character must be followed by '%', '_' or the escape character itself",
                )
        at += 1
