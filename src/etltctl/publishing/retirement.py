"""Old versions and versions that were never published: deleted when no reader can need them, never under a table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from etltctl.errors import BlockedError, EtltctlError
from etltctl.places import version_of
from etltctl.publishing.context import LakeContext
from etltctl.publishing.version_history import History, utc_now
from etltctl.values import TableName


@dataclass(frozen=True)
class Retired:
    """The folders that were deleted, and the reasons why others were not."""

    deleted: Sequence[str] = ()
    refused: Sequence[str] = ()


@dataclass(frozen=True)
class Retirement:
    """The deletion of versions' folders."""

    context: LakeContext

    def retire(self, table: TableName, history: History, versions: Iterable[str]) -> Retired:
        """Delete versions of a table, and those that were never published and have lain there for long.

        An error is returned and not raised, because what was published before stays published.

        Args:
            table: The table.
            history: Its versions as the catalog remembers them now.
            versions: The versions that are out of use.
        """
        places, deleted, refused = self.context.places, [], []
        try:
            locations = [str(places.version(table, version)) for version in versions]
            locations += self._left_behind(table, history)
            # The catalog is listed only if there is something to delete, because it is one call a database and page.
            in_use = self._locations() if locations else set()
            for location in locations:
                require_free(location, str(places.root(table)), in_use)
                # The data before its records: records without data are found and removed by a later retirement.
                self.context.s3.delete_folder(location)
                self.context.s3.delete_folder(places.record(table, version_of(location)))
                deleted.append(location)
        except EtltctlError as error:
            refused.append(error.message)
        return Retired(deleted, refused)

    def _left_behind(self, table: TableName, history: History) -> list[str]:
        """Return the folders of versions that were never published and not written to for `keep_unpublished_days`."""
        s3, places = self.context.s3, self.context.places
        known = {history.current, *history.versions}
        before = utc_now() - timedelta(days=self.context.settings.lake.keep_unpublished_days)
        # A job that died early has left a report and no file, or files and no report: both folders name versions.
        roots = (places.root(table), places.records(table))
        names = dict.fromkeys(name for root in roots for name in s3.folders(root))
        unknown = [name for name in names if name.startswith("v=") and name.removeprefix("v=") not in known]
        return [
            str(roots[0].folder(name))
            for name in unknown
            if all(one.modified < before for root in roots for one in s3.objects(root.folder(name)))
        ]

    def _locations(self) -> set[str]:
        """Return where the tables of the lake's databases lie, those that others made included."""
        return {
            str(table["StorageDescriptor"]["Location"])
            for database in dict.fromkeys(self.context.settings.athena.databases.values())
            for table in self.context.catalog.tables(database)
            if table.get("StorageDescriptor", {}).get("Location")
        }


def require_free(location: str, root: str, in_use: Iterable[str]) -> None:
    """Check that a folder may be deleted.

    Args:
        location: The folder.
        root: The folder of all versions of the table.
        in_use: Where tables lie.

    Raises:
        BlockedError: The location is not the folder of one version below the root, or a table lies in it.
    """
    version = version_of(location)
    # A location in a parameter may have been edited by hand; only a folder that etltctl names like this is deleted.
    if not version or location != f"{root}v={version}/":
        raise BlockedError(f"{location} is not the folder of a version below {root}; it is not deleted")
    for other in in_use:
        if f"{other.rstrip('/')}/".startswith(location):
            raise BlockedError(f"{location} is not deleted: a table lies there, at {other}")
