"""The OpenLineage events of a run that is over or under way, made again from its record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from etltctl.ledger import Event
from etltctl.observers import lineage_documents, send_again
from etltctl.pipeline.run_record import observation_of
from etltctl.pipeline.services import Services

if TYPE_CHECKING:
    from etltctl.settings import Settings


def lineage_of_run(events: Sequence[Event], settings: Settings) -> list[dict[str, Any]]:
    """Return a run's OpenLineage events as data. No service is called.

    Args:
        events: The run's events.
        settings: The settings.
    """
    observation = observation_of(Services(settings), str(events[0]["run_id"]))
    return lineage_documents(events, settings, observation.lineage_of)


def send_lineage(events: Sequence[Event], settings: Settings) -> int:
    """Send a run's OpenLineage events to the receivers of the settings once more, and return their number.

    Args:
        events: The run's events.
        settings: The settings.
    """
    observation = observation_of(Services(settings), str(events[0]["run_id"]))
    return send_again(events, settings, observation.aws, observation.lineage_of)
