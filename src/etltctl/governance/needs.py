"""The permissions of Lake Formation that the caller needs for what the steps change in the catalog."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from etltctl.settings import Settings

LOCATION_ACCESS = "DATA_LOCATION_ACCESS"


@dataclass(frozen=True)
class CatalogChanges:
    """The tables whose entry in the catalog a step changes, each as `layer.table`.

    Attributes:
        step: The step, such as `glue:silver_to_gold`.
        published: The tables of which it publishes a new version, after the version was checked.
        refreshed: The tables whose entry it brings in line with their files.
        queried: The tables that it reads through Athena, to make those that it publishes.
    """

    step: str
    published: tuple[str, ...] = ()
    refreshed: tuple[str, ...] = ()
    queried: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.published or self.refreshed)


@dataclass(frozen=True)
class Need:
    """A permission that a step needs, and why.

    `table` is `layer.table`. CREATE_TABLE is needed on its database, DATA_LOCATION_ACCESS on the location of its files,
    every other permission on the table itself.
    """

    step: str
    principal: str
    permission: str
    table: str
    why: str


def needs_of(changes: Iterable[CatalogChanges], settings: Settings, caller: str) -> Iterator[Need]:
    """Yield what the caller needs of Lake Formation for these changes of the catalog.

    What a Glue job itself reads and writes needs nothing here: the job uses S3 paths and its role's IAM policies, and
    Lake Formation is not asked.

    Args:
        changes: What each step changes.
        settings: The settings.
        caller: The ARN of the caller's role or user.
    """
    for each in changes:
        for table in each.queried:
            yield Need(each.step, caller, "SELECT", table, f"reads {table}")
        yield from _publishing(settings, caller, each.step, each.published)
        for table in each.refreshed:
            yield from _pointing(caller, each.step, table, "brings it up to date")


def _publishing(settings: Settings, caller: str, step: str, writes: Sequence[str]) -> Iterator[Need]:
    """Yield what a publish of the tables needs, with the tables that stand for the versions under audit."""
    for table in writes:
        yield from _pointing(caller, step, table, "publishes it")
    # Only rules that Athena checks need a table of the new version in the catalog.
    asking = [table for table in writes if settings.rules(table).needs_query]
    named = {table: settings.rules(table).named_tables for table in asking}
    for table in writes:
        if table in asking or any(table in names for names in named.values()):
            yield Need(step, caller, "CREATE_TABLE", table, f"checks a new version of {table} there")
    for table, names in named.items():
        # A table of the same set is read through its new version, which the caller has created itself.
        for other in sorted(names - set(writes)):
            yield Need(step, caller, "SELECT", other, f"reads it to check {table}")


def _pointing(caller: str, step: str, table: str, why: str) -> Iterator[Need]:
    """Yield what it takes to make the catalog point to another place of the table."""
    yield Need(step, caller, "ALTER", table, why)
    yield Need(step, caller, LOCATION_ACCESS, table, f"{why.replace(' it', f' {table}')} from there")
