"""Settings of tables that a query makes: `[sql.NAME]`, one for each step `sql:NAME`."""

from __future__ import annotations

from pathlib import PurePosixPath, PureWindowsPath
from typing import Annotated

from pydantic import AfterValidator, Field

from etltctl.settings.section import Distinct, Section, Size, TableName, Text, Texts, bytes_of
from etltctl.settings.services import Minutes


def _below(text: str) -> str:
    """Check a path that must not leave the folder of the settings file, because the file's text is sent to Athena."""
    for path in (PurePosixPath(text), PureWindowsPath(text)):
        if path.anchor or ".." in path.parts:
            raise ValueError(
                "must be a relative path without .., because the file belongs next to the settings file or below: "
                f"move it there and name it like 'sql/NAME.sql', got {text!r}"
            )
    return text


class SqlTable(Section):
    """One table that a query in a file makes, `sql:NAME`: the file, the tables that it reads, the one that it writes.

    Athena runs the query and writes its rows as a new version of the table, which is checked and published as a
    version that a Glue job wrote.
    """

    file: Annotated[Text, AfterValidator(_below)] = Field(
        description=(
            "the file with one SELECT, in the folder of the settings file or below, as a relative path without `..`; "
            "`{layer.table}` in it is a table of the lake"
        )
    )
    reads: Annotated[list[TableName], Distinct] = Field(
        default=[], description="every table that the query reads, as `layer.table`"
    )
    writes: TableName = Field(description="the table it writes, as a new version")
    partitioned_by: Texts = Field(
        default=[],
        description="columns of the query that become the partitions, in this order; Athena writes at most 100",
    )
    max_scan: Size | None = Field(
        default=None,
        description="the most the query may read (exit 9), such as `20GB`; that of `athena` unless set",
    )
    timeout_minutes: Minutes = Field(
        default=60,
        description="how long etltctl waits for the query; it goes on after that, up to Athena's own limit",
    )

    @property
    def max_scan_bytes(self) -> int | None:
        """`max_scan` in bytes; None unless set."""
        return None if self.max_scan is None else bytes_of(self.max_scan)
