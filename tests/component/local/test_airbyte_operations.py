"""Every operation of Airbyte's SDK on the embedded Airbyte: parsed with its models, or refused as Airbyte refuses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest

from etltctl.local.services.airbyte.connections import WORKSPACE_ID
from support.airbyte_place import Place, open_place

# The fields that Airbyte's published description (api_sdk.yaml) requires in an answer, by the call.
REQUIRED = {
    "jobs": ["jobId", "status", "jobType", "startTime", "connectionId"],
    "connections": ["connectionId", "name", "sourceId", "destinationId", "workspaceId", "status", "schedule",
                    "configurations", "createdAt", "tags"],
    "sources": ["sourceId", "name", "sourceType", "workspaceId", "configuration", "definitionId", "createdAt"],
    "destinations": ["destinationId", "name", "destinationType", "definitionId", "workspaceId", "configuration",
                     "createdAt"],
    "workspaces": ["workspaceId", "name", "dataResidency", "notifications"],
    f"workspaces/{WORKSPACE_ID}/definitions/declarative_sources": ["id", "name", "manifest", "version"],
}  # fmt: skip
NOWHERE = str(uuid4())


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("airbyte")
    with pytest.MonkeyPatch.context() as environment, open_place(folder, environment) as opened:
        opened.apply()
        yield opened


@pytest.fixture(scope="module")
def sdk(place: Place) -> Any:
    from airbyte_api import AirbyteAPI, models

    service, url = place.server.service, f"{place.server.base_url}/airbyte/v1"
    credentials = models.SchemeClientCredentials(
        client_id=service.client_id,
        client_secret=service.client_secret,
        token_url=f"{url}/applications/token",
    )
    return AirbyteAPI(server_url=url, security=models.Security(client_credentials=credentials))


@pytest.mark.parametrize("kind", REQUIRED)
def test_every_answer_has_the_fields_that_the_description_requires(sdk: Any, place: Place, kind: str) -> None:
    if kind == "jobs":
        sdk.jobs.create_job(request={"connection_id": place.recorded()["connection:api"], "job_type": "sync"})
    page = place.server.http.get(f"/{kind}").json()
    assert page["data"]
    for one in page["data"]:
        assert [name for name in REQUIRED[kind] if one.get(name) is None] == []
    identifier = page["data"][0][REQUIRED[kind][0]]
    read = place.server.http.get(f"/{kind}/{identifier}").json()
    assert [name for name in REQUIRED[kind] if read.get(name) is None] == []


def test_sources_are_made_changed_replaced_and_deleted(sdk: Any) -> None:
    from airbyte_api import api, models

    database = models.SelfManagedReplicaSet(
        connection_string="mongodb://me@127.0.0.1:1/?replicaSet=rs0", databases=["weather"]
    )
    fields = {"name": "sdk", "configuration": models.SourceMongodbV2(database_config=database)}
    source = sdk.sources.create_source(
        request=models.SourceCreateRequest(workspace_id=WORKSPACE_ID, **fields)
    ).source_response
    patched = sdk.sources.patch_source(
        request=api.PatchSourceRequest(
            source_id=source.source_id, source_patch_request=models.SourcePatchRequest(name="patched")
        )
    ).source_response
    put = sdk.sources.put_source(
        request=api.PutSourceRequest(
            source_id=source.source_id, source_put_request=models.SourcePutRequest(**fields)
        )
    ).source_response
    read = sdk.sources.get_source(request=api.GetSourceRequest(source_id=source.source_id)).source_response
    assert (patched.name, put.name, read.name) == ("patched", "sdk", "sdk")
    answer = sdk.sources.delete_source(request=api.DeleteSourceRequest(source_id=source.source_id))
    assert answer.status_code == 204


def test_destinations_are_made_changed_replaced_and_read(sdk: Any) -> None:
    from airbyte_api import api, models

    parquet = models.DestinationS3ParquetColumnarStorage(
        compression_codec=models.DestinationS3CompressionCodecEnum.SNAPPY
    )
    storage = models.DestinationS3(s3_bucket_name="bronze", s3_bucket_path="operations", format_=parquet)
    identifier = sdk.destinations.create_destination(
        request=models.DestinationCreateRequest(name="one", workspace_id=WORKSPACE_ID, configuration=storage)
    ).destination_response.destination_id
    sdk.destinations.patch_destination(
        request=api.PatchDestinationRequest(
            destination_id=identifier, destination_patch_request=models.DestinationPatchRequest(name="two")
        )
    )
    sdk.destinations.put_destination(
        request=api.PutDestinationRequest(
            destination_id=identifier,
            destination_put_request=models.DestinationPutRequest(name="three", configuration=storage),
        )
    )
    read = sdk.destinations.get_destination(request=api.GetDestinationRequest(destination_id=identifier))
    assert read.destination_response.name == "three"
    every = sdk.destinations.list_destinations(
        request=api.ListDestinationsRequest()
    ).destinations_response.data
    assert identifier in [each.destination_id for each in every]


def test_low_code_definitions_are_made_replaced_and_deleted(sdk: Any) -> None:
    from airbyte_api import api, models

    calls, place = sdk.declarative_source_definitions, {"workspace_id": WORKSPACE_ID}
    manifest = calls.list_declarative_source_definitions(
        request=api.ListDeclarativeSourceDefinitionsRequest(**place)
    ).declarative_source_definitions_response.data[0].manifest  # fmt: skip
    definition = calls.create_declarative_source_definition(
        request=api.CreateDeclarativeSourceDefinitionRequest(
            **place,
            create_declarative_source_definition_request=models.CreateDeclarativeSourceDefinitionRequest(
                name="sdk", manifest=manifest
            ),
        )
    ).declarative_source_definition_response
    place["definition_id"] = definition.id
    updated = calls.update_declarative_source_definition(
        request=api.UpdateDeclarativeSourceDefinitionRequest(
            **place,
            update_declarative_source_definition_request=models.UpdateDeclarativeSourceDefinitionRequest(
                manifest={**manifest, "description": "second"}
            ),
        )
    ).declarative_source_definition_response
    read = calls.get_declarative_source_definition(
        request=api.GetDeclarativeSourceDefinitionRequest(**place)
    ).declarative_source_definition_response
    assert (updated.version, read.manifest["description"]) == (definition.version + 1, "second")
    calls.delete_declarative_source_definition(request=api.DeleteDeclarativeSourceDefinitionRequest(**place))


def test_jobs_are_filtered_and_cancelled(sdk: Any, place: Place) -> None:
    from airbyte_api import api, errors

    identifier = place.recorded()["connection:api"]
    jobs = sdk.jobs.list_jobs(
        request=api.ListJobsRequest(workspace_ids=[WORKSPACE_ID, NOWHERE], connection_id=identifier)
    ).jobs_response.data
    assert jobs
    place.server.wait(jobs[-1].job_id)
    with pytest.raises(errors.AirbyteAPIError) as caught:
        sdk.jobs.cancel_job(request=api.CancelJobRequest(job_id=jobs[-1].job_id))
    assert caught.value.status_code == 409


def test_health_and_workspaces_are_read(sdk: Any) -> None:
    from airbyte_api import api

    assert sdk.health.get_health_check().status_code == 200
    read = sdk.workspaces.get_workspace(request=api.GetWorkspaceRequest(workspace_id=WORKSPACE_ID))
    assert read.workspace_response.workspace_id == WORKSPACE_ID


MISSING: dict[str, Callable[[Any, Any], Any]] = {
    "streams": lambda sdk, api: sdk.streams.get_stream_properties(
        request=api.GetStreamPropertiesRequest(source_id=NOWHERE)
    ),
    "tags": lambda sdk, api: sdk.tags.list_tags(request=api.ListTagsRequest()),
    "organizations": lambda sdk, api: sdk.organizations.list_organizations_for_user(),
    "permissions": lambda sdk, api: sdk.permissions.list_permissions(request=api.ListPermissionsRequest()),
    "users": lambda sdk, api: sdk.users.list_users_within_an_organization(
        request=api.ListUsersWithinAnOrganizationRequest(organization_id=NOWHERE)
    ),
    "source definitions": lambda sdk, api: sdk.source_definitions.list_source_definitions(
        request=api.ListSourceDefinitionsRequest(workspace_id=WORKSPACE_ID)
    ),
    "deleting a workspace": lambda sdk, api: sdk.workspaces.delete_workspace(
        request=api.DeleteWorkspaceRequest(workspace_id=WORKSPACE_ID)
    ),
}


@pytest.mark.parametrize("call", MISSING.values(), ids=MISSING)
def test_an_operation_that_is_not_modelled_is_refused_as_a_problem(
    sdk: Any, call: Callable[[Any, Any], Any]
) -> None:
    from airbyte_api import api, errors

    with pytest.raises(errors.AirbyteAPIError) as caught:
        call(sdk, api)
    assert caught.value.status_code in (404, 405)
    assert '"type": "https://reference.airbyte.com/' in caught.value.body
