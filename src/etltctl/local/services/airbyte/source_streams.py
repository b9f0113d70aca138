"""What a discovery of a source finds, and how the API's list of streams shows it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from etltctl.local.services.airbyte.connectors.protocol import READS_INCREMENTALLY
from etltctl.local.services.airbyte.records import Stream
from etltctl.local.services.airbyte.streams import Discovered
from etltctl.values import APPEND, INCREMENTAL, OVERWRITE

Path_ = tuple[str, ...]
DEEPEST = 50  # levels: a schema that refers to itself would have no end


@dataclass(frozen=True)
class SourceStream:
    """One stream of a source, as its connector describes it."""

    name: str
    namespace: str = ""
    is_incremental: bool = False
    cursor: Path_ = ()
    has_own_cursor: bool = False  # whether no other field than `cursor` can be chosen
    primary_key: tuple[Path_, ...] = ()
    fields: tuple[Path_, ...] = ()

    @classmethod
    def of_connector(cls, described: Mapping[str, Any]) -> SourceStream:
        """Return a stream of the catalog that a connector answered to `discover`."""
        return cls(
            name=str(described["name"]),
            namespace=str(described.get("namespace") or ""),
            is_incremental=READS_INCREMENTALLY in (described.get("supported_sync_modes") or ()),
            cursor=tuple(map(str, described.get("default_cursor_field") or ())),
            has_own_cursor=described.get("source_defined_cursor") is True,
            primary_key=tuple(
                tuple(map(str, path)) for path in described.get("source_defined_primary_key") or ()
            ),
            fields=tuple(field_paths(described.get("json_schema"))),
        )

    @classmethod
    def of_extractor(cls, stream: Stream, discovered: Discovered) -> SourceStream:
        """Return a stream that an extractor of this server reads.

        Args:
            stream: The stream with its columns.
            discovered: What the API says of it elsewhere.
        """
        return cls(
            name=stream.name,
            namespace=stream.namespace,
            is_incremental=discovered.is_incremental,
            cursor=discovered.cursor,
            has_own_cursor=bool(discovered.cursor),
            primary_key=discovered.primary_key,
            fields=tuple((name,) for name in stream.columns),
        )

    def answer(self, *, has_destination: bool) -> dict[str, Any]:
        """Return the stream as the API answers it.

        Args:
            has_destination: Whether the call names a destination. Without one Airbyte names no sync modes.
        """
        modes = [APPEND, OVERWRITE, *([INCREMENTAL] if self.is_incremental else [])]
        return {
            "streamName": self.name,
            **({"streamnamespace": self.namespace} if self.namespace else {}),
            **({"syncModes": modes} if has_destination else {}),
            "defaultCursorField": list(self.cursor),
            "sourceDefinedCursorField": self.has_own_cursor,
            "sourceDefinedPrimaryKey": [list(path) for path in self.primary_key],
            "propertyFields": [list(path) for path in self.fields],
            # Airbyte's discovery does not try the credentials by itself; this server does so before.
            "etltctl_checked": True,
        }


def field_paths(schema: Any, depth: int = 0) -> Iterator[Path_]:
    """Yield the path of each property of a JSON schema, those within a property after it, as Airbyte lists them."""
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    if not isinstance(properties, Mapping) or depth > DEEPEST:
        return
    for name, inner in properties.items():
        yield (str(name),)
        yield from ((str(name), *path) for path in field_paths(inner, depth + 1))
