"""The versions of a table as the catalog remembers them, in the table's parameters."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches

from etltctl.catalog import Described
from etltctl.errors import BlockedError, NextStep, command
from etltctl.places import version_of
from etltctl.s3 import S3Object

VERSION = "etltctl_version"
VERSIONS = "etltctl_versions"  # every version that was published and is kept, the newest first
OUT_OF_USE = "etltctl_out_of_use"  # since when each version that is not current is out of use, as JSON
ROWS = "etltctl_rows"
WRITTEN = "etltctl_written"  # when the newest file of the current version was written
FILES = "etltctl_files"  # a hash of the names and ETags of the files that the table was last made from
RUN = "etltctl_run_id"
SCHEMA = "etltctl_schema_hash"


@dataclass(frozen=True)
class History:
    """The versions of a table that were published and are kept.

    Attributes:
        current: The version that readers see.
        versions: All versions, the newest first.
        out_of_use: Since when each version that is not current is out of use, by version.
        rows: The rows of the current version.
        written: When the newest file of the current version was written; times are ISO 8601.
    """

    current: str = ""
    versions: tuple[str, ...] = ()
    out_of_use: Mapping[str, str] = field(default_factory=dict)
    rows: int = 0
    written: str = ""

    @classmethod
    def of(cls, described: Described | None) -> History:
        """Return the history in a table's parameters; an empty one for a table that is not there."""
        if described is None:
            return cls()
        parameters = described.get("Parameters", {})
        location = described.get("StorageDescriptor", {}).get("Location", "")
        versions = [name for name in parameters.get(VERSIONS, "").split(",") if name]
        return cls(
            current=version_of(location),
            versions=tuple(versions),
            out_of_use=json.loads(parameters.get(OUT_OF_USE) or "{}"),
            rows=int(parameters.get(ROWS, 0)),
            written=parameters.get(WRITTEN, ""),
        )

    def switched(self, to: str, now: datetime) -> History:
        """Return the history once the version `to` is current.

        It keeps every version: one that it forgot would count as never published and be deleted as such.
        """
        # A version that is made current again keeps its place: the order is that of publication.
        versions = self.versions if to in self.versions else (to, *self.versions)
        # A table from before etltctl kept a history has a current version that no list names.
        if self.current and self.current not in versions:
            versions = (*versions[:1], self.current, *versions[1:])
        since = {name: self.out_of_use.get(name, now.isoformat()) for name in versions if name != to}
        if self.current and self.current != to:
            since[self.current] = now.isoformat()
        return replace(self, current=to, versions=versions, out_of_use=since)

    def retirable(self, keep: int, grace: timedelta, now: datetime) -> list[str]:
        """Return the versions that may be deleted; the current one is never among them.

        Args:
            keep: How many of the newest versions stay.
            grace: How long a version stays after it was current, for queries that still read it.
            now: The time.
        """
        return [
            name
            for name in self.versions[keep:]
            # A rollback makes an old version current, so its age alone must not retire it.
            if name != self.current and datetime.fromisoformat(self.out_of_use[name]) + grace <= now
        ]

    def without(self, retired: list[str]) -> History:
        """Return the history without these versions."""
        versions = tuple(name for name in self.versions if name not in retired)
        since = {name: self.out_of_use[name] for name in versions if name in self.out_of_use}
        return replace(self, versions=versions, out_of_use=since)

    def target(self, table: str, to: str) -> str:
        """Return the version that a rollback of the table makes current.

        Args:
            table: The table, to name it in the error.
            to: The version that the caller names; if it is empty, the one before the current.

        Raises:
            BlockedError: There is no such version.
        """
        versions = list(self.versions)
        earlier = versions[versions.index(self.current) + 1 :] if self.current in versions else versions
        target = to or next(iter(earlier), "")
        if target in versions:
            return target
        what = f"has no published version {to}" if to else "has no version before the current one"
        others = [name for name in versions if name != self.current]
        near = get_close_matches(to, others, n=1) or others[:1]
        published = f"  # published: {', '.join(versions) or 'none'}"
        hint = NextStep(command("athena", "describe", table), published)
        if near:
            hint = NextStep(command("rollback", table, "--to", *near), published)
        elif versions and not to:
            # Most people who roll back the first version want to leave one that was refused: it is not current.
            hint = NextStep(
                "readers see its only version; if a newer one was refused, readers do not see that: ",
                command("why"), published,
            )  # fmt: skip
        raise BlockedError(f"table {table} {what}", hint=hint, current=self.current)

    def parameters(self) -> dict[str, str]:
        """Return the history as parameters of the table."""
        return {
            VERSION: self.current,
            VERSIONS: ",".join(self.versions),
            OUT_OF_USE: json.dumps(dict(self.out_of_use), sort_keys=True),
        }


def utc_now() -> datetime:
    """Return the time, to the second."""
    return datetime.now(UTC).replace(microsecond=0)


def files_hash(files: Iterable[S3Object]) -> str:
    """Return a hash of the files' keys and ETags."""
    # ETags change with the content, so equal names of replaced files give another hash.
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.key}\0{file.etag}\n".encode())
    return digest.hexdigest()[:32]


def schema_hash(columns: Mapping[str, str], partitions: Mapping[str, str]) -> str:
    """Return a hash of the columns and partition columns, whatever their order."""
    return hashlib.sha256(repr(sorted(columns.items()) + sorted(partitions.items())).encode()).hexdigest()[
        :16
    ]
