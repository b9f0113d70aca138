"""The embedded Airbyte through Airbyte's own Python SDK, which parses every answer with its models."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from etltctl.local.services.airbyte.connections import WORKSPACE_ID
from support.airbyte_place import Place, open_place
from support.airbyte_server import Server


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("airbyte")
    with pytest.MonkeyPatch.context() as environment, open_place(folder, environment) as opened:
        opened.apply()
        yield opened


@pytest.fixture(scope="module")
def sdk(place: Place) -> Any:
    from airbyte_api import AirbyteAPI, models

    server: Server = place.server
    url = f"{server.base_url}/airbyte/v1"
    credentials = models.SchemeClientCredentials(
        client_id=server.service.client_id,
        client_secret=server.service.client_secret,
        token_url=f"{url}/applications/token",
    )
    return AirbyteAPI(server_url=url, security=models.Security(client_credentials=credentials))


def test_resources_of_etltctl_are_listed_and_read(sdk: Any, place: Place) -> None:
    from airbyte_api import api

    connections = sdk.connections.list_connections(
        request=api.ListConnectionsRequest(workspace_ids=[WORKSPACE_ID])
    )
    assert {each.name for each in connections.connections_response.data} == {"pi-m3-mongodb", "pi-m3-api"}
    sources = sdk.sources.list_sources(request=api.ListSourcesRequest()).sources_response.data
    assert {(each.name, each.source_type) for each in sources} == {
        ("pi-m3-mongodb", "mongodb-v2"),
        ("pi-m3-api", ""),
    }
    identifier = place.recorded()["connection:mongodb"]
    read = sdk.connections.get_connection(request=api.GetConnectionRequest(connection_id=identifier))
    (stream,) = read.connection_response.configurations.streams
    assert (stream.namespace, stream.primary_key, stream.selected_fields) == ("weather", [["_id"]], [])


def test_a_stream_that_is_sent_back_as_it_was_read_is_refused_as_by_airbyte(sdk: Any, place: Place) -> None:
    from airbyte_api import api, errors, models

    identifier = place.recorded()["connection:mongodb"]
    read = sdk.connections.get_connection(request=api.GetConnectionRequest(connection_id=identifier))
    back = models.ConnectionPatchRequest(configurations=read.connection_response.configurations)
    with pytest.raises(errors.AirbyteAPIError, match="No fields selected for stream observations"):
        sdk.connections.patch_connection(
            request=api.PatchConnectionRequest(connection_id=identifier, connection_patch_request=back)
        )


def test_a_connection_of_the_sdk_is_created_synced_and_deleted(sdk: Any, place: Place) -> None:
    from airbyte_api import api, models

    parquet = models.DestinationS3ParquetColumnarStorage(
        compression_codec=models.DestinationS3CompressionCodecEnum.SNAPPY
    )
    destination = sdk.destinations.create_destination(
        request=models.DestinationCreateRequest(
            name="by-sdk",
            workspace_id=WORKSPACE_ID,
            configuration=models.DestinationS3(
                s3_bucket_name="bronze", s3_bucket_path="sdk", format_=parquet
            ),
        )
    ).destination_response
    assert destination.destination_type == "s3"
    connection = sdk.connections.create_connection(
        request=models.ConnectionCreateRequest(
            source_id=place.recorded()["source:api"],
            destination_id=destination.destination_id,
            namespace_definition=models.NamespaceDefinitionEnum.SOURCE,
            configurations=models.StreamConfigurations(streams=[models.StreamConfiguration(name="races")]),
        )
    ).connection_response
    job = sdk.jobs.create_job(
        request=models.JobCreateRequest(
            connection_id=connection.connection_id, job_type=models.JobTypeEnum.SYNC
        )
    ).job_response
    assert place.server.wait(job.job_id)["status"] == "succeeded"
    ended = sdk.jobs.get_job(request=api.GetJobRequest(job_id=job.job_id)).job_response
    assert (ended.rows_synced, place.server.rows("sdk/races/")) == (9, 9)
    answer = sdk.destinations.delete_destination(
        request=api.DeleteDestinationRequest(destination_id=destination.destination_id)
    )
    assert answer.status_code == 204


def test_the_streams_of_a_source_are_parsed_with_their_modes_and_fields(sdk: Any, place: Place) -> None:
    from airbyte_api import api, models

    ids = place.recorded()
    request = api.GetStreamPropertiesRequest(
        source_id=ids["source:api"], destination_id=ids["destination:api"], ignore_cache=True
    )
    streams = sdk.streams.get_stream_properties(request=request).stream_properties_response
    races = next(each for each in streams if each.stream_name == "races")
    assert models.ConnectionSyncModeEnum.FULL_REFRESH_OVERWRITE in races.sync_modes
    assert ["season"] in races.property_fields
