"""Forms that sqlglot reads and Athena's grammar lacks, refused by the shape of the parsed statement alone.

No table has to be known for these checks, so that a query is refused when it is started, as Athena does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from sqlglot import exp

from etltctl.local.services.athena.dialect.errors import syntax

Rule = Callable[[exp.Expr], str | None]  # returns what the error says; None for a form that Athena has
LITERAL = "literal"  # marks `date '…'`, which is not a cast of a varchar
# Trino's reserved words, less those that begin an expression by themselves, such as CURRENT_DATE.
RESERVED = frozenset([
    "ALTER", "AND", "AS", "BETWEEN", "BY", "CASE", "CAST", "CONSTRAINT", "CREATE", "CROSS", "CUBE", "DEALLOCATE",
    "DELETE", "DESCRIBE", "DISTINCT", "DROP", "ELSE", "END", "ESCAPE", "EXCEPT", "EXECUTE", "EXISTS", "EXTRACT",
    "FALSE", "FOR", "FROM", "FULL", "GROUP", "HAVING", "IN", "INNER", "INSERT", "INTERSECT", "INTO", "IS", "JOIN",
    "LEFT", "LIKE", "NATURAL", "NOT", "NULL", "ON", "OR", "ORDER", "OUTER", "PREPARE", "RECURSIVE", "RIGHT", "ROLLUP",
    "SELECT", "TABLE", "THEN", "TRUE", "UNION", "UNNEST", "USING", "VALUES", "WHEN", "WHERE", "WITH",
])  # fmt: skip
RULES: dict[type[exp.Expr], Rule] = {}


def require_grammar(statement: exp.Expr) -> exp.Expr:
    """Return the statement if Athena's grammar has each of its forms.

    Raises:
        MalformedQueryError: Athena's grammar lacks a form of the statement.
    """
    for node, message in _complaints(statement):
        raise syntax(message, node)
    return statement


def _complaints(statement: exp.Expr) -> Iterator[tuple[exp.Expr, str]]:
    for node in statement.walk():
        for kind, rule in RULES.items():
            if isinstance(node, kind) and (message := rule(node)):
                yield node, message


def _rule(*kinds: type[exp.Expr]) -> Callable[[Rule], Rule]:
    def registered(rule: Rule) -> Rule:
        RULES.update(dict.fromkeys(kinds, rule))
        return rule

    return registered


def _has(node: exp.Expr, *keys: str) -> bool:
    return any(node.args.get(key) for key in keys)


@_rule(exp.Literal)
def _number(node: exp.Expr) -> str | None:
    written = node.name.replace("_", "")
    # The negative of 2^63 is a bigint, and its sign is another node.
    is_too_large = not node.args["is_string"] and re.fullmatch(r"\d+", written) and int(written) > 2**63
    return f"Invalid numeric literal: {written}" if is_too_large else None


@_rule(exp.HexString)
def _hexadecimal(node: exp.Expr) -> str | None:
    digits = re.sub(r"\s", "", str(node.this))
    is_whole = len(digits) % 2 == 0 and re.fullmatch(r"[0-9a-fA-F]*", digits)
    return None if is_whole else "Binary literal must contain an even number of hexadecimal digits"


@_rule(exp.Cast, exp.TryCast)
def _cast(node: exp.Expr) -> str | None:
    if node.meta.get(LITERAL):
        is_text = isinstance(node.this, exp.Literal) and node.this.is_string
        return None if is_text else "mismatched input. Expecting: <string>"
    return "mismatched input in CAST" if _has(node, "format", "action", "default") else None


@_rule(exp.Concat)
def _two_literals(node: exp.Expr) -> str | None:
    # sqlglot joins two literals that touch, as MySQL does.
    return "mismatched input. Expecting: ',', <EOF>"


@_rule(exp.SetOperation)
def _set_operation(node: exp.Expr) -> str | None:
    return "mismatched input. Expecting: <query>" if _has(node, "by_name", "kind", "side", "on") else None


@_rule(exp.Limit, exp.Offset)
def _limit(node: exp.Expr) -> str | None:
    count = node.expression
    is_count = isinstance(count, exp.Literal) and not count.is_string and count.name.isdigit()
    # The value of a `?` is checked when it is known.
    if is_count or isinstance(count, exp.Placeholder) or count.name.upper() == "ALL":
        return None
    return f"mismatched input '{count.sql()}'. Expecting: 'ALL', <integer>"


@_rule(exp.Select)
def _select(node: exp.Expr) -> str | None:
    distinct = node.args.get("distinct")
    if distinct is not None and distinct.args.get("on") is not None:
        return "mismatched input 'ON'"
    if node.args.get("qualify"):
        return "mismatched input 'QUALIFY'"
    if node.args.get("kind"):
        return "mismatched input. Expecting: <expression>"
    if not node.expressions:
        return "mismatched input 'FROM'. Expecting: '*', 'ALL', 'DISTINCT', <expression>"
    return None


@_rule(exp.Star)
def _star(node: exp.Expr) -> str | None:
    return "mismatched input '('" if _has(node, "except_", "replace", "rename", "ilike") else None


@_rule(exp.Group)
def _group(node: exp.Expr) -> str | None:
    return "mismatched input 'ALL'" if _has(node, "all", "totals") else None


@_rule(exp.Is)
def _is(node: exp.Expr) -> str | None:
    # sqlglot reads `x IS TRUE`, which Trino does not have.
    if isinstance(node.expression, exp.Null):
        return None
    return f"mismatched input '{node.expression.sql()}'. Expecting: 'DISTINCT', 'NOT', 'NULL'"


@_rule(exp.Between)
def _between(node: exp.Expr) -> str | None:
    return "mismatched input 'SYMMETRIC'" if _has(node, "symmetric") else None


@_rule(exp.In)
def _in(node: exp.Expr) -> str | None:
    return "mismatched input in IN. Expecting: '('" if _has(node, "unnest", "field") else None


@_rule(exp.Distinct)
def _distinct(node: exp.Expr) -> str | None:
    return "mismatched input 'ON'" if _has(node, "on") else None


@_rule(exp.WithinGroup)
def _within_group(node: exp.Expr) -> str | None:
    return "mismatched input 'WITHIN'"  # LISTAGG, which has it, is read as another node


@_rule(exp.Lateral)
def _lateral(node: exp.Expr) -> str | None:
    has_it = not _has(node, "view", "outer") and isinstance(node.this, exp.Subquery)
    return None if has_it else "mismatched input 'LATERAL'"


@_rule(exp.Join)
def _join(node: exp.Expr) -> str | None:
    side, kind, method = (str(node.args.get(key) or "").upper() for key in ("side", "kind", "method"))
    if (
        kind not in ("", "INNER", "OUTER", "CROSS")
        or method not in ("", "NATURAL")
        or side not in ("", "LEFT", "RIGHT", "FULL")
    ):
        return f"mismatched input '{kind or method or side}'"
    is_bare = node.args.get("on") is None and not _has(node, "using", "method")
    if is_bare and (side or kind == "INNER") and not isinstance(node.this, exp.Unnest):
        return "mismatched input. Expecting: 'ON', 'USING'"
    return None


@_rule(exp.Trim)
def _trim(node: exp.Expr) -> str | None:
    return "mismatched input 'COLLATE'" if _has(node, "collation") else None


@_rule(exp.StrPosition)
def _position(node: exp.Expr) -> str | None:
    return "mismatched input ','" if _has(node, "position", "occurrence") else None


@_rule(exp.JSONExtract, exp.JSONValue)
def _json(node: exp.Expr) -> str | None:
    if isinstance(node, exp.JSONExtract) and not _has(node, "json_query"):
        return "mismatched input '->'"
    path = node.args.get("expression") or node.args.get("path")
    is_text = isinstance(path, exp.Literal) and path.is_string
    return None if is_text else "mismatched input. Expecting: <string>"  # the path is part of the grammar


@_rule(exp.Bracket)
def _bracket(node: exp.Expr) -> str | None:
    is_one = len(node.expressions) == 1 and not isinstance(node.expressions[0], exp.Slice)
    return None if is_one else "mismatched input ':'. Expecting: ']'"


@_rule(exp.GroupConcat)
def _listagg(node: exp.Expr) -> str | None:
    return None if isinstance(node.this, exp.Order) else "mismatched input. Expecting: 'WITHIN'"


@_rule(exp.Escape)
def _escape(node: exp.Expr) -> str | None:
    return None if isinstance(node.this, exp.Like) else "mismatched input 'ESCAPE'"


@_rule(exp.BitwiseLeftShift, exp.BitwiseRightShift)
def _shift(node: exp.Expr) -> str | None:
    return "mismatched input '>'"


@_rule(exp.Anonymous)
def _call(node: exp.Expr) -> str | None:
    return "mismatched input 'AS'" if any(isinstance(one, exp.Alias) for one in node.expressions) else None


@_rule(exp.Identifier)
def _name(node: exp.Expr) -> str | None:
    is_reserved = not node.args.get("quoted") and node.name.upper() in RESERVED
    return f"mismatched input '{node.name}'. Expecting: <identifier>" if is_reserved else None


@_rule(exp.TableSample)
def _sample(node: exp.Expr) -> str | None:
    method = str(node.args.get("method") or "").upper()
    is_plain = method in ("BERNOULLI", "SYSTEM") and node.args.get("percent") is not None
    has_it = is_plain and not _has(node, "bucket_numerator", "rows", "size", "seed")
    return None if has_it else "mismatched input 'TABLESAMPLE'"


@_rule(exp.Create)
def _create(node: exp.Expr) -> str | None:
    is_view_of_columns = node.args.get("kind") == "VIEW" and isinstance(node.this, exp.Schema)
    return "mismatched input '('. Expecting: 'AS', 'COMMENT', 'SECURITY'" if is_view_of_columns else None
