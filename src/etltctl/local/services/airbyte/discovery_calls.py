"""The API's call for what a source has: the connector's `discover`, or what the extractors know of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from etltctl.local.services.airbyte.connections import extractor_of, stable_id
from etltctl.local.services.airbyte.endpoints import ENDPOINTS
from etltctl.local.services.airbyte.provisioned import ProvisionedConnections
from etltctl.local.services.airbyte.records import SyncCancelledError, SyncError
from etltctl.local.services.airbyte.resources import MadeResources
from etltctl.local.services.airbyte.source_streams import SourceStream
from etltctl.local.services.airbyte.streams import manifest_stream
from etltctl.local.services.airbyte.wire import (
    Request,
    bad_request,
    connector_failed,
    not_found,
    unexpected,
)

# Gets what is read, as a sync does, and the name of the source.
DiscoverSource = Callable[[Mapping[str, Any], str], Sequence[SourceStream]]


class DiscoveryCalls:
    """The streams of the sources of the stack's description and of those made over the API."""

    def __init__(
        self, resources: MadeResources, provisioned: ProvisionedConnections, discover: DiscoverSource
    ) -> None:
        self._made = resources
        self._provisioned = provisioned
        self._discover = discover

    def routes(self) -> list[tuple[str, str, Callable[..., Any]]]:
        """Return method, path and handler of every call."""
        return [("GET", r"/streams", self._list)]

    def _list(self, request: Request) -> list[dict[str, Any]]:
        """Answer with the streams of a source; nothing is kept of an earlier call, whatever `ignoreCache` says."""
        source_id, destination_id = (request.query.get(f"{kind}Id", "") for kind in ("source", "destination"))
        if not source_id:
            raise bad_request("sourceId is required")
        if destination_id and not self._has_destination(destination_id):
            raise not_found("destination", destination_id)
        try:
            streams = self._streams(source_id)
        except SyncError as error:
            raise connector_failed(error.message) from error
        except SyncCancelledError as error:
            raise unexpected("the server ended before the connector did") from error
        return [each.answer(has_destination=bool(destination_id)) for each in streams]

    def _streams(self, source_id: str) -> Sequence[SourceStream]:
        described = self._provisioned.of_source(source_id)
        if described is not None:
            return self._discover(described.source, described.name)
        source = self._made.find("sources", source_id)
        if source is None:
            raise not_found("source", source_id)
        definition = self._made.find("definitions", source["definitionId"])
        manifest = definition["manifest"] if definition else None
        configuration = extractor_of(source["configuration"], list(ENDPOINTS) if manifest else [], manifest)
        streams = self._discover(configuration, source["name"])
        # The extractor of the Formula 1 API stands in for the manifest, and can do what the manifest says.
        is_replaced = manifest is not None and configuration["kind"] == "http"
        return [_as_declared(each, manifest) for each in streams] if is_replaced and manifest else streams

    def _has_destination(self, identifier: str) -> bool:
        return self._made.find("destinations", identifier) is not None or any(
            stable_id("destination", each.name) == identifier for each in self._provisioned
        )


def _as_declared(stream: SourceStream, manifest: Mapping[str, Any]) -> SourceStream:
    declared = manifest_stream(manifest, stream.name)
    return replace(
        stream,
        is_incremental=declared.is_incremental,
        cursor=declared.cursor,
        has_own_cursor=bool(declared.cursor),
        primary_key=declared.primary_key,
    )
