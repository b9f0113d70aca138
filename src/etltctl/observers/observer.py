"""The protocol of everything that follows a run, and what an observer may ask about it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from etltctl.aws import Aws
    from etltctl.ledger import Event
    from etltctl.settings import Settings

# A step, `kind:name` → what it reads and what it writes: `layer.table`, or another thing by its kind and name.
LineageOf = Callable[[str], tuple[Sequence[str], Sequence[str]]]


@dataclass(frozen=True)
class Observation:
    """What an observer may ask about the run that it follows.

    Attributes:
        run_id: The run.
        settings: The settings.
        aws: The account, for secrets, topics and the catalog's schemas.
        lineage_of: Returns what a step reads and writes.
    """

    run_id: str
    settings: Settings
    aws: Aws
    lineage_of: LineageOf


class Observer(Protocol):
    """Something that follows a run.

    It decides from the events alone: several processes may drive one run, and each sees all events so far. It may hold
    deliveries back until `close`.
    """

    def see(self, events: Sequence[Event]) -> None:
        """Take note of the newest event, the last of `events`.

        It runs on the observer's thread. An error is logged once per observer and run, and changes nothing else.

        Args:
            events: All events of the run so far, oldest first.
        """

    def close(self) -> None:
        """Send what is still held back. It is called once, when this process stops driving the run."""
