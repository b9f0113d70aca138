"""The tables that a step reads, at the versions that are current when it starts."""

from __future__ import annotations

from collections.abc import Collection

from etltctl.errors import RETRY, BlockedError, NextStep
from etltctl.publishing import Lake


def input_location(lake: Lake, table: str, writes: Collection[str], reader: str) -> str:
    """Return where the version of a table lies that a step reads.

    Args:
        lake: The lake.
        table: The table as `layer.table`.
        writes: The tables that the step writes.
        reader: The setting of the step, such as `sql.NAME` or `glue.jobs.NAME`.

    Raises:
        BlockedError: The table was never published. A step that writes it cannot read it before that.
    """
    try:
        return lake.current_location(table)
    except BlockedError as error:
        if table not in writes:
            raise
        # The usual advice, to run what writes the table first, would lead back here.
        raise BlockedError(
            f"{reader} reads {table}, which it writes itself, and no version of it is there yet; nothing was started",
            hint=NextStep(
                f"make the first version without it: take {table} out of {reader}.reads and out of the code, then: ",
                RETRY,
                "; put it back for later runs",
            ),
            table=table,
        ) from error
