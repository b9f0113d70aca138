"""The checks that a table's next version must pass, and the effect of a change of its columns."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, FiniteFloat, model_validator

from etltctl.settings.project_names import NAMED_TABLE
from etltctl.settings.section import Folder, Section

Reaction = Literal["evolve", "freeze", "quarantine"]
MOST_VERSIONS = 100  # of a table: the catalog remembers them in one of its parameters
RowReaction = Literal["evolve", "freeze"]  # a version is published whole or not at all


class Range(Section):
    """The least and the greatest value a column may have, both allowed. Null passes, NaN does not."""

    min: FiniteFloat | None = None
    max: FiniteFloat | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Range:
        if self.min is None and self.max is None:
            raise ValueError("must have a min, a max, or both")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"must have a min of at most its max, got {self.min:g} and {self.max:g}")
        return self


class Contracts(Section):
    """The effect of a change against a table's contract, unless the table has its settings, and the contracts' folder.

    `evolve` takes the change into the contract, `freeze` stops before anything is built on it, `quarantine` sets the
    files aside that bring it; a version of silver or gold is stopped then. Changes that would break readers are
    never taken in. `rows` is for rows that break a check: `evolve` reports them and publishes all the same. `folder`
    is relative to the settings file; where it is not set, contracts lie with the state, or in `contracts/` if that is
    in S3.
    """

    columns: Reaction = "evolve"
    types: Reaction = "evolve"
    rows: RowReaction = "freeze"
    folder: str | None = None


class TableRules(Section):
    """The checks of one table, `[tables."layer.table"]`.

    `keys` are together unique and never null; `ranges` bound columns; `max_drop_pct` is against the version that is
    current; `conserve_rows`: the job must account for every row it read; `sql` names queries that must return no row,
    where `{this}` is the new version and `{layer.table}` any other table. `location` and `partitions` describe a table
    that another program writes.
    """

    keys: list[str] = []
    not_null: list[str] = []
    ranges: dict[str, Range] = {}
    min_rows: int = Field(0, ge=0)
    max_drop_pct: float | None = Field(None, ge=0, le=100)
    conserve_rows: bool = False
    sql: dict[str, str] = {}
    columns: Reaction | None = None
    types: Reaction | None = None
    rows: RowReaction | None = None
    allow_widening: bool = False
    keep_versions: Annotated[int, Field(ge=1, le=MOST_VERSIONS)] | None = None
    location: Folder | None = None
    partitions: Literal["registered", "projection"] = "registered"

    @property
    def needs_query(self) -> bool:
        """Whether Athena must read a version to check it; counting its rows is not enough."""
        return bool(self.keys or self.not_null or self.ranges or self.sql)

    @property
    def named_tables(self) -> set[str]:
        """Every `layer.table` that the queries of `sql` name."""
        return {name for query in self.sql.values() for name in NAMED_TABLE.findall(query)} - {"this"}
