"""The append-only event stream of every run, on disk or in S3, and the right to drive a run."""

from etltctl.ledger.events import (
    SCHEMA,
    VERSION_LINE,
    Event,
    Ledger,
    events_of_one,
    lost_events,
    newest_event,
    read_events,
)
from etltctl.ledger.failures import failed_event
from etltctl.ledger.run_time import driven_seconds
from etltctl.ledger.stores import DiskStore, S3Store, Store, StoredRun, UnreadableRunError, open_store

__all__ = [
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
    "lost_events",
    "newest_event",
    "open_store",
    "read_events",
]
