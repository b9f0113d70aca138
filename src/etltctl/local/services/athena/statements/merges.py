"""The query behind a MERGE: each row of the source with the row that it matches, the action, and the new values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlglot import exp

from etltctl.local.services.athena.dialect import QueryError, TableName, Type

ACTION = "$action"  # the number of a WHEN, doubled, and one more if it deletes; null if none applies


def assignments(
    nodes: Sequence[exp.Expr], kinds: Mapping[str, Type], table: TableName
) -> dict[str, exp.Expr]:
    """Return the new values of a SET, by column.

    Raises:
        QueryError: COLUMN_NOT_FOUND, or a column that is set twice.
    """
    place = f"line {table.line}:{table.column}"
    values: dict[str, exp.Expr] = {}
    for node in nodes:
        if not isinstance(node, exp.EQ) or not isinstance(node.this, exp.Column):
            raise QueryError("SYNTAX_ERROR", f"{place}: mismatched input. Expecting: <identifier> '='")
        name = node.this.name.lower()
        if name not in kinds:
            raise QueryError(
                "COLUMN_NOT_FOUND", f"{place}: The UPDATE SET target column {name} doesn't exist"
            )
        if name in values:
            raise QueryError("SYNTAX_ERROR", f"{place}: Multiple assignments for column {name}")
        values[name] = node.expression
    return values


def merged(
    node: exp.Expr,
    target: exp.Expr,
    place: Sequence[exp.Expr],
    kinds: Mapping[str, Type],
    table: TableName,
) -> exp.Select:
    """Return the query.

    Args:
        node: The MERGE.
        target: The table that is changed, as a relation whose rows have their positions.
        place: The file and the position of a row of the target. The position is null for a row without a match.
        kinds: The columns of the target.
        table: Its name.

    Raises:
        QueryError: in Athena's words for a clause that it refuses.
    """
    position = place[-1]
    conditions, actions, values = [], [], []
    for index, when in enumerate(node.args["whens"].expressions):
        if when.args.get("source"):
            raise QueryError("SYNTAX_ERROR", "line 1:1: mismatched input 'BY'. Expecting: 'AND', 'THEN'")
        is_null = exp.Is(this=position.copy(), expression=exp.Null())
        matches = exp.Not(this=is_null) if when.args.get("matched") else is_null
        further = when.args.get("condition")
        conditions.append(
            exp.and_(matches, exp.Paren(this=further.copy())) if further is not None else matches
        )
        is_delete, of_when = _values(when, target, kinds, table)
        actions.append(exp.Literal.number(2 * index + is_delete))
        values.append(of_when)
    columns = [_first(conditions, [of_when.get(name, exp.Null()) for of_when in values]) for name in kinds]
    query = exp.select(*place, _first(conditions, actions), *columns).from_(node.args["using"].copy())
    return query.join(target, on=node.args["on"].copy(), join_type="left", copy=False)


def _first(conditions: Sequence[exp.Expr], values: Sequence[exp.Expr]) -> exp.Expr:
    """Return the value of the first condition that is true: only one WHEN applies to a row."""
    pairs = zip(conditions, values, strict=True)
    return exp.Case(ifs=[exp.If(this=condition.copy(), true=value.copy()) for condition, value in pairs])


def _values(
    when: exp.Expr, target: exp.Expr, kinds: Mapping[str, Type], table: TableName
) -> tuple[bool, dict[str, exp.Expr]]:
    """Return whether a WHEN deletes, and the columns of the row that it leaves."""
    then = when.args["then"]
    if isinstance(then, exp.Var) and then.name.upper() == "DELETE" and when.args.get("matched"):
        return True, {}
    if isinstance(then, exp.Update) and when.args.get("matched"):
        # What is not set keeps the value of the row that matches.
        old: dict[str, exp.Expr] = {name: exp.column(name, table=target.alias, quoted=True) for name in kinds}
        return False, old | assignments(then.expressions, kinds, table)
    if isinstance(then, exp.Insert) and not when.args.get("matched"):
        return False, _inserted(then, kinds, table)
    raise QueryError("SYNTAX_ERROR", f"line 1:1: mismatched input '{then.sql().split(' ')[0]}'")


def _inserted(then: exp.Expr, kinds: Mapping[str, Type], table: TableName) -> dict[str, exp.Expr]:
    place = f"line {table.line}:{table.column}"
    names, values = then.this, then.expression
    if not isinstance(values, exp.Tuple):
        raise QueryError("SYNTAX_ERROR", f"{place}: mismatched input. Expecting: 'VALUES'")
    columns = [column.name.lower() for column in names.expressions] if names else list(kinds)
    for name in columns:
        if name not in kinds:
            raise QueryError(
                "COLUMN_NOT_FOUND", f"{place}: Insert column name does not exist in target table: {name}"
            )
    if len(set(columns)) < len(columns):
        raise QueryError("DUPLICATE_COLUMN_NAME", f"{place}: Insert column name is specified more than once")
    if len(columns) != len(values.expressions):
        raise QueryError(
            "TYPE_MISMATCH",
            f"{place}: MERGE insert has {len(columns)} columns and {len(values.expressions)} values",
        )
    return dict(zip(columns, values.expressions, strict=True))
