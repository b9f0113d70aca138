"""Settings of the sources by kind: what is read, and from where."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Sequence
from datetime import date, time
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from etltctl.settings.section import MAX_MINUTES, Distinct, Secret, Text, Texts
from etltctl.settings.stream_names import (
    folder_of_stream,
    require_distinct,
    table_of_collection,
    table_of_stream,
)
from etltctl.settings.synced_source import Source
from etltctl.settings.toml_tables import LARGEST, key_text, leaves

# The names are those of the manifest's streams, which is the connector that Airbyte runs.
STREAMS = (
    "races", "results", "sprint", "qualifying", "pit_stops", "drivers", "constructors", "circuits",
    "driver_standings", "constructor_standings",
)  # fmt: skip
OPTIONAL_STREAMS = ("laps",)


def _cursor(value: object) -> object:
    """Check a cursor before it is taken for one of its two forms: a fault would be reported once for each."""
    fields = value.values() if isinstance(value, dict) else [value]
    for field in fields:
        if not isinstance(field, str) or not field or "." in field or field.startswith("$"):
            raise ValueError(
                "must be a field at the top of the documents, like dt or _id, or a table of such fields by "
                f"collection, got {value!r}"
            )
    return value


def _rate(text: str) -> str:
    if not re.fullmatch(r"[1-9]\d{0,5}(\.\d{1,6})?/s", text):
        raise ValueError(f"must be requests a second like '3/s', got {text!r}")
    return text


def _stream(text: str) -> str:
    if text not in STREAMS + OPTIONAL_STREAMS:
        near = difflib.get_close_matches(text, STREAMS + OPTIONAL_STREAMS, n=1)
        guess = f"did you mean {near[0]}?" if near else f"known: {', '.join(STREAMS + OPTIONAL_STREAMS)}"
        raise ValueError(f"has the unknown stream {text!r}, {guess}")
    return text


def _package(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?==[A-Za-z0-9.!+_-]+", text):
        raise ValueError(
            f"must be a package with its exact version like 'airbyte-source-faker==6.2.32', got {text!r}"
        )
    return text


def _plain_values(config: dict[str, Any]) -> dict[str, Any]:
    # The connector gets JSON. The value itself is not repeated: it may be a secret.
    for path, value in leaves(config, in_lists=True):
        if fault := _fault(value):
            raise ValueError(f"has {fault} at {key_text(path)}")
    return config


def _fault(value: Any) -> str:
    """Return what a value is that JSON, or a reader of it, does not have; empty if there is none."""
    if isinstance(value, date | time):
        return "a date or time, which has to stand in quotes,"
    if isinstance(value, float) and not math.isfinite(value):
        return "a number that is not finite"
    is_large = isinstance(value, int) and not -LARGEST <= value < LARGEST
    return "a number that does not fit into 64 bits, and has to stand in quotes," if is_large else ""


def _database(name: str) -> str:
    """Refuse a name that no database can have; MongoDB itself says so only when it is read."""
    if refused := re.search(r'[/\\. "$]', name):
        raise ValueError(f"a MongoDB database cannot have {refused[0]!r} in its name, got {name!r}")
    return name


class MongodbSource(Source):
    """Collections of a MongoDB database, `[sources.NAME]` with `kind = "mongodb"`."""

    kind: Literal["mongodb"] = Field(description="the kind of the source")
    uri: Secret = Field(description="secret: the connection string; `sample:` on the embedded endpoints")
    database: Annotated[Text, AfterValidator(_database)] = Field(description="the database")
    collections: Texts = Field(min_length=1, description="the collections; each becomes a bronze table")
    cursor: Annotated[str | dict[str, str], BeforeValidator(_cursor)] = Field(
        default="_id",
        description=(
            "of incremental syncs on the embedded endpoints: a field that only grows, for all collections or by "
            "collection. Airbyte's own connector follows the change stream and takes no cursor"
        ),
    )
    schema_enforced: bool = Field(
        default=True,
        description="whether each field becomes a column; if not, one column `data` holds the document",
    )

    @property
    def names(self) -> Sequence[str]:
        """The collections."""
        return self.collections

    @property
    def airbyte_namespace(self) -> str:
        """The database: Airbyte keeps it with each stream, and does not follow the source."""
        return self.database

    def folders(self) -> dict[str, str]:
        """Return the folder of each collection: Airbyte's namespace is the database."""
        database = folder_of_stream(self.database)
        return {
            table_of_collection(name): f"{database}/{folder_of_stream(name)}" for name in self.collections
        }

    @model_validator(mode="after")
    def _has_a_table_for_each_collection(self) -> MongodbSource:
        require_distinct(self.collections, table_of_collection, "collections")
        return self

    @model_validator(mode="after")
    def _has_cursors_of_its_collections(self) -> MongodbSource:
        unknown = [name for name in self.cursors if name not in self.collections]
        if unknown:
            raise ValueError(f"has a cursor for {unknown[0]!r}, which is not among its collections")
        return self

    @property
    def cursors(self) -> dict[str, str]:
        """The cursor field by collection; a collection that is not named uses `_id`."""
        if isinstance(self.cursor, str):
            return dict.fromkeys(self.collections, self.cursor)
        return dict(self.cursor)


class AirbyteSource(Source):
    """Streams of any Airbyte source connector, `[sources.NAME]` with `kind = "airbyte"`.

    On AWS, `connection_id` and `streams` are enough. The embedded server runs the connector that `manifest` or
    `package` names, in a separate Python environment.
    """

    kind: Literal["airbyte"] = Field(description="the kind of the source")
    streams: Texts = Field(min_length=1, description="the streams to read; each becomes a bronze table")
    manifest: Text | None = Field(
        default=None, description="the manifest of a low-code connector, relative to the settings file"
    )
    package: Annotated[str, AfterValidator(_package)] | None = Field(
        default=None, description="the Python package of a connector, as `NAME==VERSION`"
    )
    requirements: Text | None = Field(
        default=None,
        description=(
            "a file of hashed requirements for the connector's environment, relative to the settings file. If unset, a "
            "manifest uses etltctl's own, and those of a package are resolved once and kept next to the state"
        ),
    )
    config: Annotated[dict[str, Any], AfterValidator(_plain_values)] = Field(
        default={},
        description=(
            "the connector's configuration, as its specification describes it. A text may be a reference to a secret, "
            "such as `env:NAME`"
        ),
    )
    namespace: str = Field(
        default="",
        description="the namespace of the streams, if the connector has one; files lie in a folder of this name",
    )
    quiet_minutes: float = Field(
        default=30.0,
        gt=0,
        le=MAX_MINUTES,
        description="on the embedded server, a sync fails after this many minutes without a line of the connector",
    )

    @property
    def names(self) -> Sequence[str]:
        """The streams."""
        return self.streams

    @property
    def connector(self) -> str | None:
        """The manifest of the connector; None if it is a package, or Airbyte alone knows it."""
        return self.manifest

    @property
    def has_extractor(self) -> bool:
        """Whether the embedded server reads the source without its connector: it runs every connector for real."""
        return False

    @property
    def is_described(self) -> bool:
        """Whether the settings say all that Airbyte needs to make the source: a package alone is not enough."""
        return self.manifest is not None

    @property
    def airbyte_namespace(self) -> str:
        """The namespace of the streams."""
        return self.namespace

    def folders(self) -> dict[str, str]:
        """Return the folder of each stream."""
        namespace = f"{folder_of_stream(self.namespace)}/" if self.namespace else ""
        return {table_of_stream(name): f"{namespace}{folder_of_stream(name)}" for name in self.streams}

    @model_validator(mode="after")
    def _is_one_connector(self) -> AirbyteSource:
        if self.manifest and self.package:
            raise ValueError("must have a manifest or a package, not both")
        require_distinct(self.streams, table_of_stream, "streams")
        return self


class HttpSource(Source):
    """An Ergast-compatible Formula 1 API, `[sources.NAME]` with `kind = "http"`."""

    kind: Literal["http"] = Field(description="the kind of the source")
    base_url: Text = Field(description="the API's address; `sample:` for the invented season")
    seasons: Annotated[list[int] | Literal["all"], Distinct] = Field(
        description=(
            'years from 1991 on, because the points rules before that are not modelled; `"all"` is for '
            "the sample only"
        ),
    )
    rate: Annotated[str, AfterValidator(_rate)] = Field(
        default="3/s", description="the most requests a second"
    )
    streams: Annotated[list[Annotated[str, AfterValidator(_stream)]], Distinct] = Field(
        default=list(STREAMS),
        min_length=1,
        description="the streams to read; each becomes a bronze table; `laps` is read only if named",
    )
    manifest: Text = Field(
        default="connectors/source-f1/manifest.yaml", description="the low-code connector that Airbyte runs"
    )

    @property
    def names(self) -> Sequence[str]:
        """The streams."""
        return self.streams

    @property
    def named_seasons(self) -> Sequence[int]:
        """The seasons; empty if all that the API has are read."""
        return () if self.seasons == "all" else self.seasons

    @property
    def connector(self) -> str | None:
        """The manifest of the connector."""
        return self.manifest

    def folders(self) -> dict[str, str]:
        """Return the folder of each stream."""
        return {name: name for name in self.streams}


SOURCES: tuple[type[MongodbSource] | type[HttpSource] | type[AirbyteSource], ...] = (
    MongodbSource, HttpSource, AirbyteSource,
)  # fmt: skip
# The settings of each kind of source, by its name in the file.
KINDS = {str(get_args(source.model_fields["kind"].annotation)[0]): source for source in SOURCES}
AnySource = Annotated[MongodbSource | HttpSource | AirbyteSource, Field(discriminator="kind")]
