"""The receivers of OpenLineage events: a file, a server, or where the variables of OpenLineage's client lead."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from etltctl.errors import ConfigurationError, NextStep, ServiceError, UnreachableError, install
from etltctl.observers.lineage.datasets import Datasets
from etltctl.proxies import is_loopback
from etltctl.settings.lineage_variables import ClientVariables, is_lineage_asked_for

if TYPE_CHECKING:
    from openlineage.client.event_v2 import RunEvent

    from etltctl.aws import Aws
    from etltctl.ledger import Event
    from etltctl.observers.lineage.run_events import RunEvents
    from etltctl.observers.observer import LineageOf, Observation
    from etltctl.settings import Settings

PACKAGE = "openlineage"
SEND_TIMEOUT_S = 3.0
# Three tries of 3 s and their pauses are shorter than a flush.
RETRIES = {"total": 2, "read": 1, "connect": 2, "backoff_factor": 0.2}
CAUSING = frozenset({"run.started", "step.planned", "step.finished", "run.finished"})

Send = Callable[["RunEvent"], Any]


def open_lineage(observation: Observation) -> LineageObserver | None:
    """Return the observer that sends lineage events of a run; None if no receiver is named.

    Args:
        observation: The run.

    Raises:
        ConfigurationError: A receiver cannot be used, or the extra `lineage` is not installed.
    """
    settings = observation.settings
    if not is_lineage_asked_for(settings.lineage):
        return None
    require_installed()
    from etltctl.observers.lineage.run_events import RunEvents

    maker = RunEvents(Datasets(settings, observation.aws), observation.lineage_of)
    return LineageObserver(maker, _receivers(settings, observation.aws))


def require_installed() -> None:
    """Check that OpenLineage's client is installed.

    Raises:
        ConfigurationError: It is not.
    """
    if find_spec(PACKAGE) is None:
        raise ConfigurationError(
            "lineage events need the package openlineage-python", hint=NextStep(install("lineage"))
        )


@dataclass(frozen=True)
class LineageObserver:
    """Sends the OpenLineage events that each event of the run causes.

    Attributes:
        maker: Makes OpenLineage's events from the run's events.
        receivers: Each sends one event.
    """

    maker: RunEvents
    receivers: Sequence[Send]

    def see(self, events: Sequence[Event]) -> None:
        """Send what the newest event causes, to every receiver that takes it.

        Raises:
            Exception: The first error of a receiver, after all events were passed to all receivers.
        """
        if events[-1]["type"] not in CAUSING:
            return
        errors = list(_send_all(self.maker.of(events, only_newest=True), self.receivers))
        if errors:
            raise errors[0]

    def close(self) -> None:
        """Do nothing: every event was sent when it happened."""


def lineage_documents(
    events: Sequence[Event], settings: Settings, lineage_of: LineageOf
) -> list[dict[str, Any]]:
    """Return the OpenLineage events of a run as data, from the record alone.

    Args:
        events: The run's events.
        settings: The settings.
        lineage_of: Returns what a step reads and writes.

    Raises:
        ConfigurationError: The extra `lineage` is not installed.
    """
    require_installed()
    from openlineage.client.serde import Serde

    from etltctl.observers.lineage.run_events import RunEvents

    return [Serde.to_dict(event) for event in RunEvents(Datasets(settings), lineage_of).of(events)]


def send_again(events: Sequence[Event], settings: Settings, aws: Aws, lineage_of: LineageOf) -> int:
    """Send the OpenLineage events of a run once more, under the same ids, and return their number.

    Args:
        events: The run's events.
        settings: The settings.
        aws: The account, for a secret that it keeps.
        lineage_of: Returns what a step reads and writes.

    Raises:
        ConfigurationError: No receiver is named or it cannot be used, or the extra `lineage` is not installed.
        UnreachableError: A receiver did not take all events.
    """
    if not is_lineage_asked_for(settings.lineage):
        raise ConfigurationError(
            "no receiver of lineage events is named",
            hint='write url = "https://…" or file = "lineage.ndjson" under [lineage], or set OPENLINEAGE_URL',
        )
    require_installed()
    from etltctl.observers.lineage.run_events import RunEvents

    sent = list(RunEvents(Datasets(settings), lineage_of).of(events))
    errors = list(_send_all(sent, _receivers(settings, aws)))
    if errors:
        raise UnreachableError(
            f"{len(errors)} of {len(sent)} lineage events were not sent: {errors[0]}",
            hint="the run's own record is as it was; the same command sends all of them again, under the same ids",
        ) from errors[0]
    return len(sent)


def _send_all(events: Any, receivers: Sequence[Send]) -> Iterator[Exception]:
    """Pass every event to every receiver, and yield their errors: a receiver that is away keeps nothing from others."""
    for event in events:
        for send in receivers:
            try:
                send(event)
            except Exception as error:  # noqa: BLE001 - a transport may raise anything, and the caller decides
                yield _without_address(error)


def _without_address(error: Exception) -> Exception:
    """Return an error of HTTP in words that do not quote the address: a path may be a secret."""
    from requests import RequestException

    if not isinstance(error, RequestException):
        return error
    answer = error.response
    said = type(error).__name__ if answer is None else f"{answer.status_code} {answer.reason}"
    host = urlsplit(str(error.request.url)).hostname if error.request is not None else None
    failure = ServiceError(f"{said}: the receiver{f' at {host}' if host else ''} did not take an event")
    failure.__cause__ = error
    return failure


def _receivers(settings: Settings, aws: Aws) -> list[Send]:
    """Return what sends an event to each receiver. A variable that names one counts before the setting `url`."""
    own, variables = settings.lineage, ClientVariables.of()
    receivers: list[Send] = [_file(settings)] if own.file else []
    if variables.name_a_receiver:
        receivers.append(_by_variables(variables))
    elif own.url:
        receivers.append(_server(settings, aws))
    return receivers


def _file(settings: Settings) -> Send:
    from openlineage.client.transport.file import FileConfig, FileTransport

    file = settings.folder / settings.lineage.file
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"lineage.file cannot be written: {error}") from error
    return FileTransport(FileConfig(str(file), append=True)).emit


def _server(settings: Settings, aws: Aws) -> Send:
    from openlineage.client.transport.http import HttpConfig, HttpTransport

    own = settings.lineage
    config: dict[str, Any] = {"url": own.url, "endpoint": own.endpoint}
    config |= {"timeout": SEND_TIMEOUT_S, "retry": dict(RETRIES)}
    if own.api_key:
        config["auth"] = {"type": "api_key", "apiKey": aws.reveal(own.api_key, "lineage.api_key")}
    transport = HttpTransport(HttpConfig.from_dict(config))
    transport.session.max_redirects = 0  # another host must not get what this one was meant to have
    if is_loopback(own.url):
        transport.session.trust_env = False  # a proxy of the environment does not reach this machine
    return transport.emit


def _by_variables(variables: ClientVariables) -> Send:
    """Return OpenLineage's client as its own variables and its own file configure it."""
    variables.require_usable()
    from openlineage.client import OpenLineageClient

    # The client would add the address of the checkout's remote, in which a token may be.
    client = OpenLineageClient(config={"facets": {"source_code_location": {"disabled": True}}})
    if (session := getattr(client.transport, "session", None)) is not None:
        session.max_redirects = 0
    return client.emit
