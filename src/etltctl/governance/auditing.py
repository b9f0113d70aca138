"""Who read what: the GetDataAccess events by which Lake Formation lets an engine at a governed table."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from etltctl.aws import Aws
from etltctl.cloudtrail import CloudTrail
from etltctl.errors import UsageError

if TYPE_CHECKING:
    from etltctl.settings import Settings

EVENT = "GetDataAccess"
KEPT = timedelta(days=90)  # by CloudTrail's event history
UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@dataclass(frozen=True)
class Access:
    """One access to a table: when, by whom, through which service, and whether it was refused."""

    at: str
    principal: str
    table: str
    service: str
    permissions: str
    outcome: str


def audit(
    settings: Settings, *, table: str = "", since: str = "7d", now: datetime | None = None
) -> list[Access]:
    """The accesses to `layer.table`, or to all tables, since then (`12h`, `7d`, or a date), the newest first.

    Reads CloudTrail's event history, which keeps 90 days, at two calls a second. Raises UsageError for a time or
    table it does not understand.
    """
    begin = since_when(since, now or datetime.now(UTC))
    wanted = _in_catalog(table, settings) if table else ""
    events = CloudTrail(Aws.from_settings(settings)).events(EVENT, begin)
    layers = {database: layer for layer, database in settings.athena.databases.items()}
    found = (_access(event, layers) for event in events if not wanted or _table_of(event) == wanted)
    return sorted(found, key=lambda access: access.at, reverse=True)


def since_when(text: str, now: datetime) -> datetime:
    """The time that `90m`, `12h`, `7d`, `2w` before now or a date means, in UTC; raises UsageError."""
    if found := re.fullmatch(r"(\d{1,6})\s*([mhdw])", text.strip()):
        when = now - timedelta(**{UNITS[found[2]]: int(found[1])})
    else:
        try:
            when = datetime.fromisoformat(text)
        except ValueError as error:
            hint = "--since 12h, 7d, 2w, or a date like 2026-11-01"
            raise UsageError(f"{text!r} is no time", hint=hint) from error
        when = when.replace(tzinfo=when.tzinfo or UTC)
    return max(when, now - KEPT)


def _in_catalog(table: str, settings: Settings) -> str:
    layer, _, name = table.partition(".")
    if layer not in settings.athena.databases or not name:
        raise UsageError(f"{table!r} is no table", hint="--table layer.table, such as gold.weather_daily")
    return f"{settings.athena.databases[layer]}/{name}"


def _table_of(event: Mapping[str, Any]) -> str:
    """`database/table` of the event's table; empty if it is about a location."""
    arn = str((event.get("requestParameters") or {}).get("tableArn", ""))
    return arn.partition(":table/")[2]


def _access(event: Mapping[str, Any], layers: Mapping[str, str]) -> Access:
    asked, more = event.get("requestParameters") or {}, event.get("additionalEventData") or {}
    database, _, name = _table_of(event).partition("/")
    principal = more.get("lakeFormationPrincipal") or (event.get("userIdentity") or {}).get("arn", "")
    return Access(
        at=str(event["eventTime"]),
        principal=principal,
        table=f"{layers.get(database, database)}.{name}" if name else str(asked.get("dataLocation", "")),
        service=str(more.get("requesterService", "")),
        permissions=", ".join(asked.get("permissions") or ()),
        outcome=str(event.get("errorCode") or "allowed"),
    )
