"""Tables with registered partitions, switched so that no reader sees partitions of two versions.

A catalog of Hive tables updates partitions in batches, and readers would see each batch as it comes. So the table is
closed while the batches go through: a reader gets the old partitions, an error that says why, or the new ones.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace

from etltctl.catalog.partitions import ENABLED, Partitions, is_projected
from etltctl.catalog.tables import Catalog, Described, Table
from etltctl.errors import RETRY, EtltctlError, NextStep, command

# As the kind of a projected column, this makes Athena refuse every query of the table. Athena's error quotes it, so it
# reads as a message.
CLOSED = "being_published_by_etltctl_ask_again"


@dataclass(frozen=True)
class Registry:
    """The tables of a catalog, each together with its registered partitions."""

    catalog: Catalog

    def put(self, table: Table, current: Described | None, name: str = "") -> str:
        """Make the catalog hold the table and exactly its registered partitions.

        Where Athena computes the partitions of the current version, it ignores registered ones. Then those of the new
        version are prepared first, and one call shows them all. Otherwise the table is closed to readers meanwhile. A
        process that dies leaves the table closed, and the same call again completes it.

        Args:
            table: The table as the catalog shall hold it.
            current: The table as it was read from the catalog; None if it is not there.
            name: The table as commands name it, `layer.table`: a database may have another name than its layer.

        Returns:
            `created`, `updated` or `unchanged`.
        """
        if not table.registered:
            return self._put_projected(table, current)
        partitions = Partitions(self.catalog.aws, table)
        before = current
        if (
            current is None
            or _keys(current) != list(table.partitions)
            or self._would_show(partitions, current)
        ):
            # Closed first, or a reader would join partitions of two versions. The last call of this function opens
            # it.
            current = self._closed(table, current)
        try:
            partitions.put(table.registered)
        except EtltctlError as error:
            if current is not None and is_closed(current):
                error.next_step = NextStep(
                    f"queries of {table.full_name} are refused until this is done: ", RETRY, ", or go back: ",
                    command("rollback", name or table.full_name),
                    ", or open it as it is: ", command("athena", "refresh"),
                )  # fmt: skip
            raise
        change = self.catalog.put(table, current)
        return "created" if before is None else change

    def stage(self, table: Table) -> None:
        """Make a table that stands for a version under audit, with its partitions."""
        self.catalog.stage(table)
        if table.registered:
            Partitions(self.catalog.aws, table).put(table.registered)

    def _put_projected(self, table: Table, current: Described | None) -> str:
        change = self.catalog.put(table, current)
        if current is not None and _keys(current) and not is_projected(current):
            with suppress(EtltctlError):  # Athena does not see them any more
                Partitions(self.catalog.aws, table).put({})
        return change

    def _would_show(self, partitions: Partitions, current: Described) -> bool:
        """Return whether a reader would see a partition change before the table does."""
        # A table without differences needs no closing: most runs of a table write the same partitions.
        return not is_projected(current) and partitions.differ(partitions.table.registered)

    def _closed(self, table: Table, current: Described | None) -> Described | None:
        closing = {ENABLED: "true", **{f"projection.{name}.type": CLOSED for name in table.partitions}}
        self.catalog.put(replace(table, parameters={**table.parameters, **closing}), current)
        return self.catalog.table(table.database, table.name)


def is_closed(described: Described) -> bool:
    """Return whether the table was closed to readers by a publish that has not ended."""
    return CLOSED in described.get("Parameters", {}).values()


def _keys(described: Described) -> list[str]:
    return [key["Name"] for key in described.get("PartitionKeys") or []]
