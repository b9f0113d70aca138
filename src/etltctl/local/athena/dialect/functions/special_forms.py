"""Functions of text with a special grammar: `a || b`, TRIM, POSITION, SUBSTRING, NORMALIZE and LISTAGG."""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp

from etltctl.local.athena.dialect import coercion
from etltctl.local.athena.dialect.errors import mismatch, syntax, unsupported
from etltctl.local.athena.dialect.expressions import Expressions, operator
from etltctl.local.athena.dialect.functions.arrays import concatenated
from etltctl.local.athena.dialect.registry import Call, Modifiers
from etltctl.local.athena.dialect.trino_types import VARCHAR, Type
from etltctl.local.athena.dialect.values import Value


@operator(exp.DPipe)
def _joined(compiler: Expressions, node: exp.Expr) -> Value:
    call = Call("concat", [node.this, node.expression], compiler, Modifiers(), node)
    one, other = call.types
    if one.is_("array") or other.is_("array"):
        return concatenated(call)
    kind = _common(one, other)
    if kind is None:
        raise mismatch(f"Cannot apply operator: {one} || {other}", node)
    left, right = (coercion.coerced(value, kind).sql for value in call.args)
    return Value(f"({left} || {right})", kind)


def _common(one: Type, other: Type) -> Type | None:
    """Return the type that two values are joined as; a number is not turned into a text."""
    if all(kind.is_("varchar", "char", "unknown") for kind in (one, other)):
        return VARCHAR
    if all(kind.is_("varbinary", "unknown") for kind in (one, other)):
        return Type("varbinary")
    return None


@operator(exp.Trim)
def _trimmed(compiler: Expressions, node: exp.Expr) -> Value:
    if node.args.get("collation"):
        raise syntax("mismatched input 'COLLATE'", node)
    position = str(node.args.get("position") or "BOTH").upper()
    name = {"BOTH": "trim", "LEADING": "ltrim", "TRAILING": "rtrim"}[position]
    characters = node.args.get("expression")
    return compiler.call(name, [node.this, *([characters] if characters is not None else [])], node)


@operator(exp.StrPosition)
def _position(compiler: Expressions, node: exp.Expr) -> Value:
    if node.args.get("position") or node.args.get("occurrence"):
        raise syntax("mismatched input ','", node)
    return compiler.call("position", [node.args["substr"], node.this], node)


@operator(exp.Substring)
def _substring(compiler: Expressions, node: exp.Expr) -> Value:
    parts = [node.this, node.args.get("start"), node.args.get("length")]
    return compiler.call("substring", [part for part in parts if part is not None], node)


@operator(exp.Normalize)
def _normalized(compiler: Expressions, node: exp.Expr) -> Value:
    form = node.args.get("form")
    arguments = [node.this, *([exp.Literal.string(form.name.upper())] if form else [])]
    return compiler.call("normalize", arguments, node)


@operator(exp.GroupConcat)
def _listagg(compiler: Expressions, node: exp.Expr) -> Value:
    overflow = node.args.get("on_overflow")
    if overflow is not None and not (isinstance(overflow, exp.Var) or overflow == "ERROR"):
        raise unsupported("LISTAGG with ON OVERFLOW TRUNCATE")
    ordered, inner = node.this, replace(compiler, modifiers=Modifiers())
    if not isinstance(ordered, exp.Order):
        raise syntax("mismatched input. Expecting: 'WITHIN'", node)
    compiler = compiler.with_modifiers(order=compiler.queries.order_keys(ordered, inner))
    value = ordered.this
    if isinstance(value, exp.Distinct):
        compiler = compiler.with_modifiers(distinct=True)
        value = value.expressions[0]
    separator = node.args.get("separator")
    return compiler.call("listagg", [value, *([separator] if separator is not None else [])], node)
