"""The observer that sends a message when a run ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from etltctl.observers.deliveries import Delivery, require_delivered
from etltctl.observers.notifications.run_end import end_of_run, names_of_end
from etltctl.observers.notifications.sending import send
from etltctl.observers.observer import Observation

if TYPE_CHECKING:
    from etltctl.ledger import Event


@dataclass
class Notifications:
    """The messages about the end of one run."""

    observation: Observation
    _deliveries: list[Delivery] = field(default_factory=list)

    def see(self, events: Sequence[Event]) -> None:
        """Start the deliveries if the newest event is an end of the run that the settings ask for.

        Args:
            events: All events of the run so far, oldest first.
        """
        settings, aws = self.observation.settings, self.observation.aws
        notification = end_of_run(events, settings)
        if notification is None:
            return
        ends = names_of_end(notification)
        for name, receiver in settings.notify.items():
            is_meant = not receiver.pipelines or notification.pipeline in receiver.pipelines
            if is_meant and ends & set(receiver.on):
                deliver = partial(send, notification, name, receiver, aws)
                self._deliveries.append(Delivery.start(f"notify.{name}", deliver))

    def close(self) -> None:
        """Wait for the deliveries.

        Raises:
            EtltctlError: Some failed; each is named.
        """
        require_delivered(self._deliveries)


def open_notifications(observation: Observation) -> Notifications | None:
    """Return the observer of a run; None if the settings name no receiver.

    Args:
        observation: The run.
    """
    return Notifications(observation) if observation.settings.notify else None
