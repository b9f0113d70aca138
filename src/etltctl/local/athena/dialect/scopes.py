"""Names: which column of which relation a name in a query means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlglot import exp

from etltctl.local.athena.dialect.errors import QueryError, place, unsupported
from etltctl.local.athena.dialect.trino_types import Type
from etltctl.local.athena.dialect.values import Value

HIDDEN_COLUMNS = {"$path", "$bucket", "$partition", "$file_size", "$file_modified_time", "$row_id"}


@dataclass(frozen=True)
class Field:
    """A column of a relation that stands in FROM: the SQL that reads it, and the names it goes by."""

    name: str | None
    type: Type
    sql: str
    table: str | None = None
    database: str | None = None

    def is_named(self, parts: Sequence[str]) -> bool:
        """Return whether `[catalog, database, table,] column` names it; names are compared in lower case."""
        if self.name is None or self.name.lower() != parts[-1]:
            return False
        mine = [self.table, self.database, "awsdatacatalog"]
        qualifiers = list(reversed(parts[:-1]))
        return all(
            own is not None and own.lower() == part for part, own in zip(qualifiers, mine, strict=False)
        )


@dataclass(frozen=True)
class Scope:
    """The columns that a query's expressions can name, and the scope of the query around it."""

    fields: Sequence[Field] = ()
    parent: Scope | None = None
    narrowed: bool = field(default=False)

    def resolve(self, parts: Sequence[str], node: exp.Expr) -> tuple[Value, list[str]]:
        """Return the column that the longest beginning of a dotted name means, and the rest of the name.

        Raises:
            QueryError: COLUMN_NOT_FOUND, AMBIGUOUS_NAME if two columns have the name, or NOT_SUPPORTED for a column
                that every table of Athena's has hidden.
        """
        lowered = [part.lower() for part in parts]
        scope: Scope | None = self
        while scope is not None:
            for length in range(min(len(parts), 4), 0, -1):
                matches = [known for known in scope.fields if known.is_named(lowered[:length])]
                if len(matches) > 1:
                    raise QueryError(
                        "AMBIGUOUS_NAME", f"{place(node)}: Column '{'.'.join(parts)}' is ambiguous"
                    )
                if matches:
                    return Value(matches[0].sql, matches[0].type), list(parts[length:])
            scope = scope.parent
        if lowered[-1] in HIDDEN_COLUMNS:
            raise unsupported(f'the hidden column "{lowered[-1]}"')
        hint = " or requester is not authorized to access requested resources" if self.is_narrowed else ""
        raise QueryError(
            "COLUMN_NOT_FOUND", f"{place(node)}: Column '{'.'.join(parts)}' cannot be resolved{hint}"
        )

    @property
    def is_narrowed(self) -> bool:
        """Whether the caller does not see every column of a table in reach."""
        return self.narrowed or (self.parent is not None and self.parent.is_narrowed)
