"""The append-only event stream of every run, on disk or in S3, and the right to drive a run."""

from etltctl.ledger.event_kinds import GOOD, PUBLISHERS, REMOTE_KNOWN, Event, failed_event, is_publish
from etltctl.ledger.events import (
    SCHEMA,
    VERSION_LINE,
    Ledger,
    events_of_one,
    lost_events,
    newest_event,
    read_events,
)
from etltctl.ledger.measures import driven_seconds, spent_usd_of
from etltctl.ledger.stores import DiskStore, S3Store, Store, StoredRun, UnreadableRunError, open_store

__all__ = [
    "GOOD",
    "PUBLISHERS",
    "REMOTE_KNOWN",
    "SCHEMA",
    "VERSION_LINE",
    "DiskStore",
    "Event",
    "Ledger",
    "S3Store",
    "Store",
    "StoredRun",
    "UnreadableRunError",
    "driven_seconds",
    "events_of_one",
    "failed_event",
    "is_publish",
    "lost_events",
    "newest_event",
    "open_store",
    "read_events",
    "spent_usd_of",
]
