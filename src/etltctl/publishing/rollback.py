"""A rollback: everything is checked before the first change, so that a refusal changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from etltctl.publishing.publish import Published, Switch
from etltctl.publishing.table_files import Inspector
from etltctl.publishing.version_history import History
from etltctl.publishing.version_records import described
from etltctl.values import TableName


@contextmanager
def checked_rollback(
    table: str, to: str, switch: Switch, inspector: Inspector
) -> Iterator[Callable[[str], Published]]:
    """Check that an earlier version of the table can be made current again, and keep other processes from the table.

    Args:
        table: The table, `layer.table`.
        to: The version; if it is empty, the one before the current.
        switch: The switch of tables.
        inspector: The reader of tables' files.

    Yields:
        The function that makes the version current, with one catalog call. It takes the id of the run that does it.

    Raises:
        BlockedError: There is no such version.
        UnverifiedError: Its files are gone, or are not those that were published.
        AlreadyRunningError: Another process publishes the table.
    """
    context, records, name = switch.context, switch.records, TableName.parse(table)
    with switch.lock.held([name]) as require_held:
        # Read under the lock: another rollback or publish would change what is before the current version.
        target = History.of(context.current(name)).target(table, to)
        location = str(context.places.version(table, target))
        records.require_unchanged(table, location, context.s3.objects(location))
        # Its columns come from its files: those in the catalog are of the version that goes.
        inspected = inspector.inspect(
            table, context.places.in_catalog(name), location, inspector.files(location), is_projected=True
        )
        table_before = described(inspected.table, records.job_report(name, location))

        def make_current(run_id: str) -> Published:
            require_held()
            change = switch.back(name, table_before, run_id).change
            return Published(table, change, inspected.rows, version=target)

        yield make_current
