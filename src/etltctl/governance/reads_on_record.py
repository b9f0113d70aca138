"""The accesses to governed tables, from CloudTrail: Lake Formation logs one GetDataAccess for each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from etltctl.aws import Aws
from etltctl.cloudtrail import CloudTrail
from etltctl.errors import UsageError
from etltctl.moments import moment_of
from etltctl.values import TableName

if TYPE_CHECKING:
    from etltctl.settings import Settings

EVENT = "GetDataAccess"
KEPT = timedelta(days=90)  # by CloudTrail's event history


@dataclass(frozen=True)
class Access:
    """One access to a table: its time, its principal, the service that asked, and whether it was refused."""

    at: str
    principal: str
    table: str
    service: str
    permissions: str
    outcome: str


def read_accesses(
    settings: Settings, *, table: str = "", since: str = "7d", now: datetime | None = None
) -> list[Access]:
    """Return the accesses to one table or to all, the newest first.

    Reads CloudTrail's event history, which keeps 90 days and takes two calls a second.

    Args:
        settings: The settings.
        table: The table as `layer.table`; empty for all.
        since: How far back: `90m`, `12h`, `7d`, `2w`, or a date.
        now: The present time, for tests.

    Raises:
        UsageError: The table or the time is not valid.
    """
    begin = since_when(since, now or datetime.now(UTC))
    name = _in_catalog(table, settings) if table else ""
    # CloudTrail filters by one attribute only, so the table is chosen here.
    events = CloudTrail(Aws.from_settings(settings)).events(EVENT, begin)
    layers = {database: layer for layer, database in settings.athena.databases.items()}
    accesses = (_access(event, layers) for event in events if not name or _table_of(event) == name)
    return sorted(accesses, key=lambda access: access.at, reverse=True)


def since_when(text: str, now: datetime) -> datetime:
    """Return the time that the text means, at most 90 days before now; raise UsageError if it means none."""
    return max(moment_of(text, now), now - KEPT)


def _in_catalog(table: str, settings: Settings) -> str:
    name = TableName.parse(table) if TableName.is_one(table) else None
    if name is None or name.layer not in settings.athena.databases:
        raise UsageError(
            f"{table!r} is not a table", hint="write it as layer.table, such as gold.weather_daily"
        )
    return f"{settings.athena.databases[name.layer]}/{name.name}"


def _table_of(event: Mapping[str, Any]) -> str:
    """Return `database/table` of the event's table; empty if it is about a location."""
    arn = str((event.get("requestParameters") or {}).get("tableArn", ""))
    return arn.partition(":table/")[2]


def _access(event: Mapping[str, Any], layers: Mapping[str, str]) -> Access:
    request, more = event.get("requestParameters") or {}, event.get("additionalEventData") or {}
    database, _, name = _table_of(event).partition("/")
    # The service that reads acts in the name of this principal; `userIdentity` names the service.
    principal = more.get("lakeFormationPrincipal") or (event.get("userIdentity") or {}).get("arn", "")
    return Access(
        at=str(event["eventTime"]),
        principal=principal,
        table=f"{layers.get(database, database)}.{name}" if name else str(request.get("dataLocation", "")),
        service=str(more.get("requesterService", "")),
        permissions=", ".join(request.get("permissions") or ()),
        outcome=str(event.get("errorCode") or "allowed"),
    )
