"""A message that tests a receiver: `etltctl notify test`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from etltctl.aws import Aws
from etltctl.errors import ConfigurationError, EtltctlError, unknown
from etltctl.observers.deliveries import Delivery
from etltctl.observers.notifications.notification import FailureText, Notification
from etltctl.observers.notifications.sending import send

if TYPE_CHECKING:
    from etltctl.settings import Settings

TRIAL_S = 20.0  # a person waits for the answer, and no run does


@dataclass(frozen=True)
class TrialResult:
    """What became of a test message.

    Attributes:
        receiver: The name of the receiver in the settings.
        kind: Its kind.
        error: Why it was not taken; None if it was.
    """

    receiver: str
    kind: str
    error: EtltctlError | None = None


def send_trial(settings: Settings, name: str = "") -> list[TrialResult]:
    """Send a test message, of a run that failed, whatever the receivers ask for.

    Args:
        settings: The settings.
        name: The receiver; all if it is empty.

    Raises:
        ConfigurationError: The settings name no receiver.
        UsageError: The settings name no such receiver.
    """
    if not settings.notify:
        raise ConfigurationError(
            "the settings name no receiver of notifications", hint="add a table [notify.NAME] to etltctl.toml"
        )
    if name and name not in settings.notify:
        raise unknown("receiver of notifications", name, settings.notify)
    aws, now = Aws.from_settings(settings), datetime.now(UTC)
    chosen = {each: settings.notify[each] for each in ([name] if name else settings.notify)}
    trial = _trial(settings, now)
    deliveries = [
        (
            each,
            receiver.kind,
            Delivery.start(f"notify.{each}", partial(send, trial, each, receiver, aws), TRIAL_S),
        )
        for each, receiver in chosen.items()
    ]
    return [TrialResult(each, kind, delivery.wait()) for each, kind, delivery in deliveries]


def _trial(settings: Settings, now: datetime) -> Notification:
    at = now.isoformat(timespec="milliseconds")
    failure = FailureText(
        "",
        "",
        "this is a test: no run has failed",
        "etltctl: the message has arrived",
        "nothing is to be done",
    )
    run_id = f"{now:%Y%m%d-%H%M}-test"
    return Notification(
        f"{run_id}-{now.microsecond}", "failed", "test", run_id, settings.env, settings.project, at, at, 0.0, None,
        failure, is_test=True,
    )  # fmt: skip
