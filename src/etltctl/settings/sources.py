"""Settings of the sources: what is read, from where, how Airbyte syncs it, and how many rows a sync must bring."""

from __future__ import annotations

import difflib
import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from etltctl.settings.section import IdText, Secret, Section

STREAMS = (
    "races", "results", "sprint", "qualifying", "pit_stops", "drivers", "constructors", "circuits",
    "driver_standings", "constructor_standings",
)  # fmt: skip
OPTIONAL_STREAMS = ("laps",)


def _rate(text: str) -> str:
    if not re.fullmatch(r"[1-9]\d*(\.\d+)?/s", text):
        raise ValueError(f"must be requests a second like '3/s', got {text!r}")
    return text


def _stream(text: str) -> str:
    if text not in STREAMS + OPTIONAL_STREAMS:
        near = difflib.get_close_matches(text, STREAMS + OPTIONAL_STREAMS, n=1)
        guess = f"did you mean {near[0]}?" if near else f"known: {', '.join(STREAMS + OPTIONAL_STREAMS)}"
        raise ValueError(f"has the unknown stream {text!r}, {guess}")
    return text


def _schedule(text: str) -> str:
    if text != "manual" and not re.fullmatch(r"cron( \S+){6,7}", text):
        raise ValueError(
            f"must be 'manual', or 'cron' and a Quartz expression like 'cron 0 0 3 * * ?', got {text!r}"
        )
    return text


class Connected(Section):
    """How Airbyte syncs a source. etltctl and Airflow start the syncs, unless `schedule` is a cron."""

    schedule: Annotated[str, AfterValidator(_schedule)] = "manual"
    sync_mode: Literal["full_refresh_overwrite", "full_refresh_append", "incremental_append"] = (
        "full_refresh_overwrite"
    )
    schema_changes: Literal["ignore", "disable_connection", "propagate_columns", "propagate_fully"] = (
        "propagate_columns"
    )


class Source(Connected):
    """A source's Airbyte connection, its prefix in bronze, and the rows that its syncs must bring.

    `connection_id` may be left unset once `etltctl connections apply` has made the connection.

    A sync that brings fewer than `min_rows`, or `max_drop_pct` per cent less than the one before, is refused.
    """

    connection_id: IdText = ""
    prefix: str | None = None
    min_rows: int = Field(1, ge=0)
    max_drop_pct: float | None = Field(None, ge=0, le=100)
    allow_empty: bool = False

    @property
    def least_rows(self) -> int:
        """The fewest rows a sync may bring."""
        return 0 if self.allow_empty else self.min_rows


class MongodbSource(Source):
    """Collections of a MongoDB database; `uri` is a secret reference, or `sample:` on the embedded endpoints."""

    kind: Literal["mongodb"]
    uri: Secret
    database: str
    collections: list[str] = Field(min_length=1)
    schema_enforced: bool = True


class HttpSource(Source):
    """An Ergast-compatible Formula 1 API; `base_url` is `sample:` for the invented season.

    `manifest` is the low-code connector that Airbyte runs for it.
    """

    kind: Literal["http"]
    base_url: str
    seasons: list[int] | Literal["all"]
    rate: Annotated[str, AfterValidator(_rate)] = "3/s"
    streams: list[Annotated[str, AfterValidator(_stream)]] = Field(list(STREAMS), min_length=1)
    manifest: str = "connectors/source-f1/manifest.yaml"
