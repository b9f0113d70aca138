"""Making audited versions current: one catalog call a table, under a lock, with a journal for a set of tables.

Tables of the catalog are switched one by one: readers of two tables of a set may for a moment see one new and one old.
What a reader sees of one table is always one whole version. A set that was left half switched is known by its journal
until a run publishes the set again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from etltctl.catalog import Catalog, Described, Registry, Table, is_closed
from etltctl.errors import RETRY, AlreadyRunningError, BlockedError, ServiceError
from etltctl.ledger.leases import IsLost, LeaseObject
from etltctl.publishing.auditing import Staged
from etltctl.publishing.history import RUN, WRITTEN, History, utc_now
from etltctl.publishing.places import Places, version_of
from etltctl.publishing.records import VersionRecords
from etltctl.s3 import S3, split_location
from etltctl.waiting import Waiter

if TYPE_CHECKING:
    from etltctl.settings import Settings

LOOK_S = 1.0  # a publish takes seconds: whoever waits for one looks often
LAPSES_AFTER_S = 60.0


@dataclass(frozen=True)
class Switched:
    """A table after the switch: what changed, its history, and the versions that are to be deleted now."""

    change: str
    history: History
    retired: Sequence[str] = ()


@dataclass(frozen=True)
class Switch:
    """Switches tables to other versions; `watch` says how long a lock may be silent before its owner counts as dead."""

    settings: Settings
    s3: S3
    catalog: Catalog
    places: Places
    records: VersionRecords
    watch: Waiter = field(default_factory=lambda: Waiter(timeout=LAPSES_AFTER_S, longest=LOOK_S))

    @contextmanager
    def locked(self, tables: Sequence[str]) -> Iterator[Callable[[], None]]:
        """Nobody else publishes these tables while inside; raises AlreadyRunningError if somebody does.

        What is yielded raises it as well, once somebody else has the lock: to be called before each switch.
        """
        lost: list[IsLost] = []

        def require_held() -> None:
            if any(is_lost() for is_lost in lost):
                raise _overtaken(tables)

        with ExitStack() as held:
            for place in sorted({self.places.lock(table) for table in tables}):
                bucket, key = split_location(place)
                what = f"{', '.join(tables[:3])}{' …' if len(tables) > 3 else ''}: being published"
                lease = LeaseObject(self.s3.aws, bucket, key, "", self.watch, what)
                lost.append(held.enter_context(lease.held()))
            yield require_held

    def publish(self, staged: Sequence[Staged], run_id: str) -> dict[str, Switched]:
        """Makes the versions current; what is current already is left alone, so that a publish can be taken up again.

        Raises BlockedError, before anything is switched, if somebody published one of the tables since the audit, or
        one that was written later is current; AlreadyRunningError once the lock is lost, with what is switched left so.
        """
        with self.locked([version.name for version in staged]) as require_held:
            current = {version.name: self.catalog.table(*self._place(version)) for version in staged}
            for version in staged:
                _require_untouched(version, current[version.name])
                _require_newer(version, current[version.name])
            open_ones = [v for v in staged if _is_open(v, current[v.name])]
            journal = self.places.journal(staged[0].name) if len(open_ones) > 1 else ""
            require_held()
            if journal:
                self.s3.write(journal, _journal(open_ones, current, run_id))
            switched = {}
            for version in staged:
                require_held()
                self.records.keep_files(
                    version.name, version.table.location, [f.object for f in version.footers]
                )
                switched[version.name] = self._switch(
                    version.table, current[version.name], version.name, run_id
                )
            if journal or (len(staged) > 1 and len(open_ones) < len(staged)):
                self.s3.remove(self.places.journal(staged[0].name))
            return switched

    def back(self, name: str, table: Table, run_id: str) -> Switched:
        """Makes an earlier version current again; the caller holds the lock."""
        current = self.catalog.table(table.database, table.name)
        return self._switch(table, current, name, run_id)

    def unfinished(self, table: str) -> Mapping[str, Any] | None:
        """A publish of the table's set that did not come to its end: its run, time and tables, if there is one."""
        try:
            told = json.loads(self.s3.read(self.places.journal(table)))
        except ServiceError as error:
            if error.code == "NoSuchKey":
                return None
            raise
        except ValueError:
            return {"run": "unknown", "tables": {}}
        return told if isinstance(told, dict) else None

    def _switch(self, table: Table, current: Described | None, name: str, run_id: str) -> Switched:
        """The table at its version, which is marked as published then; taken up again, what is missing is done."""
        switched = self._put(table, current, name, run_id)
        self.records.mark_published(name, table.location)
        return switched

    def _put(self, table: Table, current: Described | None, name: str, run_id: str) -> Switched:
        if _location(current) == table.location:
            kept = {key: value for key, value in (current or {}).get("Parameters", {}).items() if key == RUN}
            same = replace(table, parameters={**table.parameters, **kept})
            return Switched(Registry(self.catalog).put(same, current), History.of(current))
        now = utc_now()
        history = History.of(current).switched(version_of(table.location), now)
        retired = history.retirable(self._keep(name), self._grace, now)
        history = history.without(retired)
        parameters = {**table.parameters, **history.parameters(), **({RUN: run_id} if run_id else {})}
        change = Registry(self.catalog).put(replace(table, parameters=parameters), current)
        return Switched(change, history, retired)

    def _keep(self, table: str) -> int:
        return self.settings.rules(table).keep_versions or self.settings.lake.keep_versions

    @property
    def _grace(self) -> timedelta:
        return timedelta(minutes=self.settings.lake.grace_minutes)

    def _place(self, version: Staged) -> tuple[str, str]:
        return self.places.in_catalog(version.name)


def _overtaken(tables: Sequence[str]) -> AlreadyRunningError:
    return AlreadyRunningError(
        f"{', '.join(tables[:3])}: the publish was taken over by another process while this one slept or was cut off",
        hint=f"let it finish, then: {RETRY}",
    )


def _is_open(version: Staged, current: Described | None) -> bool:
    return _location(current) != version.table.location or is_closed(current or {})


def _location(described: Described | None) -> str:
    return str(described["StorageDescriptor"]["Location"]) if described else ""


def _require_untouched(version: Staged, now: Described | None) -> None:
    """What the audit compared with is still current, or the version itself is: a publish that is taken up again."""
    if _location(now) in (_location(version.base), version.table.location):
        return
    by = (now or {}).get("Parameters", {}).get(RUN) or "somebody else"
    raise BlockedError(
        f"{version.name} was published by {by} while this run's version of it was audited; theirs stays current",
        hint=f"if this run's version is the right one: {RETRY} audits it against theirs",
        current=_location(now),
        refused=version.table.location,
    )


def _require_newer(version: Staged, now: Described | None) -> None:
    """A run that is taken up late does not go back behind one whose files were written later."""
    current = History.of(now)
    written = version.table.parameters.get(WRITTEN, "")
    if current.current == version_of(version.table.location) or not current.written or not written:
        return
    if datetime.fromisoformat(written) < datetime.fromisoformat(current.written):
        raise BlockedError(
            f"{version.name} is version {current.current} now, which was written after this run's; it stays current",
            hint=f"start a new run, or publish this one again: {RETRY} --fresh",
            refused=version.table.location,
        )


def _journal(staged: Sequence[Staged], current: Mapping[str, Described | None], run_id: str) -> bytes:
    tables = {v.name: {"from": _location(current[v.name]), "to": v.table.location} for v in staged}
    return json.dumps({"run": run_id, "since": utc_now().isoformat(), "tables": tables}, indent=1).encode()
