"""Old versions and what was never published: deleted when nobody can need them, never where a table lies."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from etltctl.catalog import Catalog
from etltctl.errors import BlockedError, EtltctlError
from etltctl.publishing.history import History, utc_now
from etltctl.publishing.places import Places, version_of
from etltctl.s3 import S3

if TYPE_CHECKING:
    from etltctl.settings import Settings


@dataclass(frozen=True)
class Retired:
    """The folders that were deleted, and why others were not."""

    deleted: Sequence[str] = ()
    refused: Sequence[str] = ()


@dataclass(frozen=True)
class Retirement:
    """Deletes folders of versions."""

    settings: Settings
    s3: S3
    catalog: Catalog
    places: Places

    def retire(self, table: str, history: History, versions: Iterable[str]) -> Retired:
        """Deletes these versions of the table, and those that were never published and lie there for long.

        Whatever stands in the way is told and not raised: what was published stays published.
        """
        deleted, refused = [], []
        try:
            wanted = [self.places.version(table, version) for version in versions]
            wanted += self._left_behind(table, history)
            in_use = self._locations() if wanted else set()
            for location in wanted:
                require_free(location, self.places.root(table), in_use)
                self.s3.delete_folder(location)
                self.s3.delete_folder(self.places.record(table, version_of(location)))
                deleted.append(location)
        except EtltctlError as error:
            refused.append(error.message)
        return Retired(deleted, refused)

    def _left_behind(self, table: str, history: History) -> list[str]:
        """Return the folders of versions that were never published and not written to for `keep_unpublished_days`."""
        known = {history.current, *history.versions}
        before = utc_now() - timedelta(days=self.settings.lake.keep_unpublished_days)
        roots = (self.places.root(table), self.places.records(table))
        names = dict.fromkeys(name for root in roots for name in self.s3.folders(root))
        unknown = [name for name in names if name.startswith("v=") and name.removeprefix("v=") not in known]
        return [
            f"{roots[0]}{name}/"
            for name in unknown
            if all(one.modified < before for root in roots for one in self.s3.objects(f"{root}{name}/"))
        ]

    def _locations(self) -> set[str]:
        """Where the tables of the lake's databases lie, whoever made them."""
        return {
            str(table["StorageDescriptor"]["Location"])
            for database in dict.fromkeys(self.settings.athena.databases.values())
            for table in self.catalog.tables(database)
            if table.get("StorageDescriptor", {}).get("Location")
        }


def require_free(location: str, root: str, in_use: Iterable[str]) -> None:
    """Raises BlockedError unless the location is one version's own folder and no table lies in it."""
    if (
        not location.endswith("/")
        or not version_of(location)
        or location != f"{root}v={version_of(location)}/"
    ):
        raise BlockedError(f"{location} is not the folder of a version below {root}; it is not deleted")
    for other in in_use:
        if f"{other.rstrip('/')}/".startswith(location):
            raise BlockedError(f"{location} is not deleted: a table lies there, at {other}")
