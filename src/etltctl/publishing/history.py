"""The versions of a table as the catalog remembers them, in the table's own parameters."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from etltctl.catalog import Described
from etltctl.publishing.places import version_of

VERSION = "etltctl_version"
VERSIONS = "etltctl_versions"  # every version that was published and is kept, the newest first
OUT_OF_USE = "etltctl_out_of_use"  # since when which version is not current
ROWS = "etltctl_rows"
WRITTEN = "etltctl_written"  # when the newest file of the current version was
FILES = "etltctl_files"  # a hash of the names and ETags of the files that the table was last made from
RUN = "etltctl_run_id"
SCHEMA = "etltctl_schema_hash"


@dataclass(frozen=True)
class History:
    """The versions that were published and are kept, newest first; the current one; since when others are not."""

    current: str = ""
    versions: tuple[str, ...] = ()
    out_of_use: Mapping[str, str] = field(default_factory=dict)
    rows: int = 0
    written: str = ""

    @classmethod
    def of(cls, described: Described | None) -> History:
        """What the table's parameters tell; nothing of a table that is not there."""
        if described is None:
            return cls()
        parameters = described.get("Parameters", {})
        location = described.get("StorageDescriptor", {}).get("Location", "")
        listed = [name for name in parameters.get(VERSIONS, "").split(",") if name]
        return cls(
            current=version_of(location),
            versions=tuple(listed),
            out_of_use=json.loads(parameters.get(OUT_OF_USE) or "{}"),
            rows=int(parameters.get(ROWS, 0)),
            written=parameters.get(WRITTEN, ""),
        )

    def switched(self, to: str, now: datetime) -> History:
        """The history once `to` is current; none is forgotten, or it would count as never published."""
        listed = self.versions if to in self.versions else (to, *self.versions)
        if self.current and self.current not in listed:
            listed = (*listed[:1], self.current, *listed[1:])
        since = {name: self.out_of_use.get(name, now.isoformat()) for name in listed if name != to}
        if self.current and self.current != to:
            since[self.current] = now.isoformat()
        return replace(self, current=to, versions=listed, out_of_use=since)

    def retirable(self, keep: int, grace: timedelta, now: datetime) -> list[str]:
        """The versions that neither `keep` nor the grace period holds any longer; never the current one."""
        return [
            name
            for name in self.versions[keep:]
            if name != self.current and datetime.fromisoformat(self.out_of_use[name]) + grace <= now
        ]

    def without(self, retired: list[str]) -> History:
        """The history without these versions."""
        listed = tuple(name for name in self.versions if name not in retired)
        return replace(
            self, versions=listed, out_of_use={v: self.out_of_use[v] for v in listed if v in self.out_of_use}
        )

    def parameters(self) -> dict[str, str]:
        """What the catalog shall remember."""
        return {
            VERSION: self.current,
            VERSIONS: ",".join(self.versions),
            OUT_OF_USE: json.dumps(dict(self.out_of_use), sort_keys=True),
        }


def utc_now() -> datetime:
    """Now, to the second."""
    return datetime.now(UTC).replace(microsecond=0)
