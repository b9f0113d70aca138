"""What a source has, against what the settings select of it: the source is reached through Airbyte.

Airbyte's public API cannot check a source. Its nearest call lists the streams of a source, for which the connector
connects, or at least starts. A connector whose streams are fixed, such as a low-code one, may not need the network for
it; the embedded server therefore lets the connector check its credentials before, and says so in its answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from etltctl.airbyte import Airbyte
from etltctl.airbyte.streams import (
    ConnectorFailedError,
    NoDiscoveryError,
    SourceStream,
    discovered_streams,
)
from etltctl.answers import required
from etltctl.aws import Aws
from etltctl.causes import Failure, Line, diagnose
from etltctl.connections.source_faults import connector_error, no_discovery
from etltctl.connections.state import connection_id
from etltctl.errors import ConfigurationError, NextStep, command, guess_text, unknown
from etltctl.settings.toml_tables import toml_text

if TYPE_CHECKING:
    from etltctl.settings import Settings

SELECTED, AVAILABLE, MISSING = "selected", "available", "missing"
STREAM_COLUMNS = ("stream", "status", "sync_modes", "cursor", "primary_key", "fields")
MOST_NAMES = 20  # in the line for the settings; a person would not edit a longer one


@dataclass(frozen=True)
class SourceStreams:
    """The streams of a source of the settings.

    Attributes:
        source: The name of the source.
        streams: The streams that the source has, those of the settings first.
        selected: The names that the settings select, in their order.
        missing: The selected names that the source does not have.
        problems: Why a sync of the selected streams would fail, a sentence each.
        was_checked: Whether Airbyte has tried the credentials of the source, and not only started the connector.
        namespace: The namespace that the settings name; a stream of another one is not selected.
        setting: The setting that selects streams: `streams` or `collections`.
    """

    source: str
    streams: Sequence[SourceStream]
    selected: Sequence[str]
    missing: Sequence[str]
    problems: Sequence[str]
    was_checked: bool
    namespace: str = ""
    setting: str = "streams"

    def rows(self) -> list[tuple[Any, ...]]:
        """Return a row for each stream, with the columns of `STREAM_COLUMNS`: names of fields, and their number."""
        rows: list[tuple[Any, ...]] = [
            (
                ".".join(filter(None, (each.namespace, each.name))),
                SELECTED if self._is_selected(each) else AVAILABLE,
                ", ".join(each.sync_modes),
                ".".join(each.cursor),
                ", ".join(".".join(path) for path in each.primary_key),
                len(each.fields),
            )
            for each in self.streams
        ]
        return [*rows, *((name, MISSING, "", "", "", None) for name in self.missing)]

    def sentence(self) -> str:
        """Return what was found, in a sentence: how many streams, and how far the check went."""
        count, chosen = len(self.streams), len(self.selected)
        how = (
            "can be reached with its credentials"
            if self.was_checked
            else "is listed by its connector; Airbyte's API tries no credentials, the first sync does"
        )
        return (
            f"source {self.source} {how}: {count} {'stream' if count == 1 else 'streams'}, {chosen} selected"
        )

    def as_check(self) -> dict[str, Any]:
        """Return the result of a check as plain data."""
        return {
            "source": self.source,
            "credentials_checked": self.was_checked,
            "streams": [each.name for each in self.streams],
            "selected": list(self.selected),
        }

    def next_step(self) -> NextStep:
        """Return the line for the settings that selects other streams, or the next command if all are selected."""
        names = list(dict.fromkeys(each.name for each in self.streams if each.namespace == self.namespace))
        if not self.missing and set(names) == set(self.selected):
            return NextStep("every stream is selected. Next: ", command("sync", self.source))
        left_out = len(names) - MOST_NAMES
        rest = f"  # and {left_out} more" if left_out > 0 else ""
        return NextStep(
            f"choose streams in [sources.{self.source}] of etltctl.toml, then sync: "
            f"{self.setting} = {toml_text(names[:MOST_NAMES])}{rest}"
        )

    def _is_selected(self, stream: SourceStream) -> bool:
        return stream.name in self.selected and stream.namespace == self.namespace


def discover_source(source: str, settings: Settings) -> SourceStreams:
    """Return the streams that a source has now, next to those that the settings select.

    Airbyte lets the connector of the source list its streams, which takes from seconds to some minutes. Nothing is
    changed and nothing is synced.

    Args:
        source: The name of the source.
        settings: The settings.

    Raises:
        UsageError: There is no such source.
        ConfigurationError: A secret has no value, or Airbyte has no connection of the source.
        AccessError: The source refused the credentials, or Airbyte refused etltctl.
        ServiceError: The source cannot be reached, its connector failed, or Airbyte cannot list streams.
    """
    require_discoverable(source, settings)
    aws = Aws.from_settings(settings)
    airbyte = Airbyte.from_settings(settings, aws.reveal)
    connection = airbyte.connection(connection_id(source, settings, aws))
    source_id, destination_id = (
        str(required(connection, f"{kind}Id", f"Airbyte's connection of {source}"))
        for kind in ("source", "destination")
    )
    try:
        streams = discovered_streams(airbyte.resources.transport, source_id, destination_id)
    except ConnectorFailedError as error:
        cause = diagnose(Failure((Line(str(error)),), "Airbyte")).cause
        raise connector_error(source, str(error), cause, settings) from error
    except NoDiscoveryError as error:
        raise no_discovery(source, settings.airbyte.url) from error
    return _compared(source, streams, settings)


def check_source(source: str, settings: Settings) -> SourceStreams:
    """Check that a source can be reached with its configured credentials, and has the streams of the settings.

    Args:
        source: The name of the source.
        settings: The settings.

    Returns:
        What the source has. `was_checked` says how far the check went.

    Raises:
        ConfigurationError: As for `discover_source`; or a sync would fail, because the source lacks a stream or cannot
            read it in the sync mode of the settings.
        EtltctlError: As for `discover_source`.
    """
    streams = discover_source(source, settings)
    if streams.problems:
        raise ConfigurationError(
            f"source {source} can be reached, but a sync of it would fail",
            problems=tuple(streams.problems),
            hint=NextStep("see what it has: ", command("source", "discover", source)),
        )
    return streams


def require_discoverable(source: str, settings: Settings) -> None:
    """Check what this machine sees of a source without any service: its name, and its secrets.

    Args:
        source: The name of the source.
        settings: The settings.

    Raises:
        UsageError: There is no such source.
        ConfigurationError: A secret has no value, or the connector cannot start on this machine.
    """
    # Imported here, as it loads pydantic, which a DAG's parsing would pay for.
    from etltctl.settings.connector_problems import source_problems

    if source not in settings.sources:
        raise unknown("source", source, settings.sources)
    if problems := tuple(source_problems(settings, source)):
        raise ConfigurationError(
            f"source {source} cannot be reached as the settings are; nothing was sent",
            problems=problems,
            hint=NextStep("correct it, then: ", command("source", "check", source)),
        )


def _compared(source: str, streams: Sequence[SourceStream], settings: Settings) -> SourceStreams:
    configured = settings.sources[source]
    selected = list(configured.names)
    # Bronze is read from the folder of this namespace.
    namespace = configured.airbyte_namespace
    names = {each.name for each in streams if each.namespace == namespace}
    missing = [name for name in selected if name not in names]
    known = [each for each in streams if each.name in selected and each.namespace == namespace]
    return SourceStreams(
        source=source,
        streams=[*known, *(each for each in streams if each not in known)],
        selected=selected,
        missing=missing,
        problems=[
            *_missing_streams(missing, streams, namespace),
            *_refused_modes(source, known, configured.sync_mode),
        ],
        # An answer without streams says nothing of it, and no credentials are known to be good.
        was_checked=bool(streams) and all(each.was_checked for each in streams),
        namespace=namespace,
        setting="collections" if configured.kind == "mongodb" else "streams",
    )


def _missing_streams(
    missing: Sequence[str], streams: Sequence[SourceStream], namespace: str
) -> Iterator[str]:
    for name in missing:
        elsewhere = next((each for each in streams if each.name == name), None)
        if elsewhere is not None:
            yield (
                f'stream {name} has the namespace "{elsewhere.namespace}", and the settings name "{namespace}"'
            )
            continue
        known = list(dict.fromkeys(each.name for each in streams))
        guess = guess_text(name, known) or f"; it has: {', '.join(known[:MOST_NAMES]) or 'none'}"
        yield f"it has no stream {name}{guess}"


def _refused_modes(source: str, streams: Sequence[SourceStream], mode: str) -> Iterator[str]:
    """Yield each stream that cannot be read in the mode of the settings. Without modes nothing is known of it."""
    for each in streams:
        if each.sync_modes and mode not in each.sync_modes:
            yield f'sources.{source}.sync_mode is "{mode}", and stream {each.name} offers: {", ".join(each.sync_modes)}'
