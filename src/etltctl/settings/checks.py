"""The checks that a table's next version must pass, and the effect of a change of its columns."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, FiniteFloat, model_validator

from etltctl.settings.project_names import NAMED_TABLE
from etltctl.settings.section import ColumnNames, Folder, Section, Texts

# `evolve` and `freeze` are the words of dlt's schema contracts.
Reaction = Literal["evolve", "freeze", "quarantine"]
MOST_VERSIONS = 100  # of a table: the catalog remembers them in one of its parameters
RowReaction = Literal["evolve", "freeze"]  # a version is published whole or not at all


class Range(Section):
    """The bounds of a column's values. Both bounds are allowed values. Null passes, NaN does not."""

    # Infinity in a file would be a bound that checks nothing, so that only finite numbers are taken.
    min: FiniteFloat | None = Field(default=None, description="the least value the column may have")
    max: FiniteFloat | None = Field(default=None, description="the greatest value the column may have")

    @model_validator(mode="after")
    def _says_something(self) -> Range:
        if self.min is None and self.max is None:
            raise ValueError("must have a min, a max, or both")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"must have a min of at most its max, got {self.min:g} and {self.max:g}")
        return self


class Contracts(Section):
    """What happens if a table differs from its contract, and where the contracts are. The settings of a table win.

    `evolve` accepts the change into the contract, `freeze` stops before anything is built on it, `quarantine` sets the
    files with the change aside, and a version of silver or gold is not published. Changes that would break readers are
    never accepted.
    """

    columns: Reaction = Field(default="evolve", description="the effect of a new or missing column")
    types: Reaction = Field(default="evolve", description="the effect of a changed type")
    rows: RowReaction = Field(
        default="freeze",
        description="the effect of rows that break a check; `evolve` reports them and publishes",
    )
    folder: str | None = Field(
        default=None,
        description=(
            "the folder of the contracts, relative to the settings file. If unset, they are next to the "
            "state, or in `contracts/` if the state is in S3"
        ),
    )


class TableRules(Section):
    """The checks of one table, `[tables."layer.table"]`."""

    keys: Texts = Field(default=[], description="columns that are together unique and never null")
    not_null: Texts = Field(default=[], description="columns that are never null")
    ranges: dict[str, Range] = Field(default={}, description="the bounds of columns, by column")
    min_rows: int = Field(default=0, ge=0, description="a version with fewer rows is not published (exit 5)")
    max_drop_pct: float | None = Field(
        default=None,
        ge=0,
        le=100,
        description=(
            "a version with this many per cent fewer rows than the current one is not published (exit 5)"
        ),
    )
    conserve_rows: bool = Field(
        default=False, description="whether the job must account for every row that it read"
    )
    sql: dict[str, str] = Field(
        default={},
        description=(
            "queries by name that must return no row; `{this}` is the new version, `{layer.table}` any "
            "other table"
        ),
    )
    columns: Reaction | None = Field(
        default=None, description="the effect of a new or missing column; that of `contracts` unless set"
    )
    types: Reaction | None = Field(
        default=None, description="the effect of a changed type; that of `contracts` unless set"
    )
    rows: RowReaction | None = Field(
        default=None, description="the effect of rows that break a check; that of `contracts` unless set"
    )
    allow_widening: bool = Field(default=False, description="whether a type may become wider")
    keep_versions: Annotated[int, Field(ge=1, le=MOST_VERSIONS)] | None = Field(
        default=None, description="used in place of `lake.keep_versions`"
    )
    lineage: dict[str, ColumnNames] = Field(
        default={},
        description="the columns that a column is made of, as `layer.table.column`, by column; for lineage events",
    )
    location: Folder | None = Field(
        default=None, description="the location of a table that another program writes"
    )
    partitions: Literal["registered", "projection"] = Field(
        default="registered",
        description="how partitions of such a table are known: registered one by one, or by projection",
    )

    @property
    def needs_query(self) -> bool:
        """Whether Athena must read a version to check it; counting its rows is not enough."""
        return bool(self.keys or self.not_null or self.ranges or self.sql)

    @property
    def named_tables(self) -> set[str]:
        """Every `layer.table` that the queries of `sql` name."""
        # Found by pattern, without a parser: the braces are etltctl's and never part of SQL.
        return {name for query in self.sql.values() for name in NAMED_TABLE.findall(query)} - {"this"}
