"""Changes to the Data Catalog that the embedded Lake Formation refuses, as the developer guide says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from support.governed import GovernedLake, arn
from support.publisher import Publisher, governed_by_iam
from support.served import wait_until

LAYER = "arn:aws:s3:::pi-m3-gold"
PLACE = "s3://pi-m3-gold/t/"
OPERATOR = {"DataLakePrincipalIdentifier": arn("operator")}
EVERYBODY = {"DataLakePrincipalIdentifier": "IAM_ALLOWED_PRINCIPALS"}
DATABASE = {"Database": {"Name": "gold"}}
TABLE = {"Table": {"DatabaseName": "gold", "Name": "t"}}
ON_T = {"DatabaseName": "gold", "TableName": "t"}


def described(location: str, name: str = "t") -> dict[str, Any]:
    storage = {"Columns": [{"Name": "n", "Type": "int"}], "Location": location}
    keys = [{"Name": "day", "Type": "string"}]
    return {"Name": name, "StorageDescriptor": storage, "PartitionKeys": keys}


def partition(day: str, location: str) -> dict[str, Any]:
    return {"Values": [day], "StorageDescriptor": {"Columns": [], "Location": location}}


CHANGES: dict[str, Callable[[Any, str], Any]] = {
    "CreateTable": lambda glue, place: glue.create_table(
        DatabaseName="gold", TableInput=described(place, "new")
    ),
    "UpdateTable": lambda glue, place: glue.update_table(DatabaseName="gold", TableInput=described(place)),
    "CreatePartition": lambda glue, place: glue.create_partition(
        **ON_T, PartitionInput=partition("1", place)
    ),
    "BatchCreatePartition": lambda glue, place: glue.batch_create_partition(
        **ON_T, PartitionInputList=[partition("2", place)]
    ),
    "UpdatePartition": lambda glue, place: glue.update_partition(
        **ON_T, PartitionValueList=["0"], PartitionInput=partition("0", place)
    ),
    "BatchUpdatePartition": lambda glue, place: glue.batch_update_partition(
        **ON_T, Entries=[{"PartitionValueList": ["0"], "PartitionInput": partition("0", place)}]
    ),
}


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GovernedLake]:
    yield from governed_by_iam(tmp_path_factory.mktemp("lake"))


@pytest.fixture(params=[True, False], ids=["hybrid", "not hybrid"])
def registered(lake: GovernedLake, request: pytest.FixtureRequest) -> Iterator[GovernedLake]:
    """Gold registered, a table `t` with one partition in it, nothing granted to the operator."""
    glue, formation = lake.client("glue"), lake.client("lakeformation")
    glue.create_table(DatabaseName="gold", TableInput=described(PLACE))
    glue.create_partition(**ON_T, PartitionInput=partition("0", f"{PLACE}day=0/"))
    formation.register_resource(ResourceArn=LAYER, RoleArn=arn("Reader"), HybridAccessEnabled=request.param)
    yield lake
    formation.deregister_resource(ResourceArn=LAYER)
    for name in ("t", "new"):
        try:
            glue.delete_table(DatabaseName="gold", Name=name)
        except glue.exceptions.EntityNotFoundException:
            continue


def grant(lake: GovernedLake, resource: dict[str, Any], *permissions: str) -> None:
    lake.client("lakeformation").grant_permissions(
        Principal=OPERATOR, Resource=resource, Permissions=list(permissions)
    )


def revoke(
    lake: GovernedLake, resource: dict[str, Any], *permissions: str, principal: Any = OPERATOR
) -> None:
    lake.client("lakeformation").revoke_permissions(
        Principal=principal, Resource=resource, Permissions=list(permissions)
    )


def location(arn: str = LAYER) -> dict[str, Any]:
    return {"DataLocation": {"ResourceArn": arn}}


def run_query(publisher: Publisher, sql: str) -> tuple[str, str]:
    """Return how a query of the publisher ended, and why."""
    athena = publisher.client("athena")
    query = athena.start_query_execution(
        QueryString=sql, WorkGroup="pi-m3", QueryExecutionContext={"Database": "gold"}
    )["QueryExecutionId"]

    def status() -> dict[str, Any]:
        return athena.get_query_execution(QueryExecutionId=query)["QueryExecution"]["Status"]

    wait_until(lambda: status()["State"] not in {"QUEUED", "RUNNING"})
    return status()["State"], status().get("StateChangeReason", "")


@pytest.mark.parametrize("operation", CHANGES)
def test_a_registered_location_needs_data_location_access_even_if_hybrid(
    registered: GovernedLake, operation: str
) -> None:
    """IAM_ALLOWED_PRINCIPALS has every permission on database and table, but that does not open the location."""
    glue = Publisher.of(registered).client("glue")
    with pytest.raises(ClientError) as refused:
        CHANGES[operation](glue, "s3://pi-m3-gold/elsewhere/")
    error = refused.value.response["Error"]
    assert error["Code"] == "AccessDeniedException"
    name = "new" if operation == "CreateTable" else "t"
    assert error["Message"] == (
        "Insufficient Lake Formation permission(s) on s3://pi-m3-gold/elsewhere/ "
        f"(Database name: gold, Table name: {name})"
    )
    grant(registered, location(), "DATA_LOCATION_ACCESS")
    try:
        CHANGES[operation](glue, "s3://pi-m3-gold/elsewhere/")
    finally:
        revoke(registered, location(), "DATA_LOCATION_ACCESS")


def test_a_grant_on_a_folder_covers_its_content_and_nothing_next_to_it(registered: GovernedLake) -> None:
    glue = Publisher.of(registered).client("glue")
    grant(registered, location(f"{LAYER}/mine"), "DATA_LOCATION_ACCESS")
    try:
        CHANGES["UpdateTable"](glue, "s3://pi-m3-gold/mine/v=1/")
        with pytest.raises(ClientError, match=r"on s3://pi-m3-gold/minefield/"):
            CHANGES["UpdateTable"](glue, "s3://pi-m3-gold/minefield/")
    finally:
        revoke(registered, location(f"{LAYER}/mine"), "DATA_LOCATION_ACCESS")


def test_an_unchanged_or_unregistered_location_needs_no_permission(registered: GovernedLake) -> None:
    glue = Publisher.of(registered).client("glue")
    CHANGES["UpdateTable"](glue, PLACE)
    CHANGES["UpdatePartition"](glue, f"{PLACE}day=0/")
    for change in CHANGES.values():
        change(glue, "s3://pi-m3-silver/not-registered/")


@pytest.fixture
def admin(registered: GovernedLake) -> Iterator[Publisher]:
    """The operator as an administrator, in an account where IAM_ALLOWED_PRINCIPALS holds nothing on gold."""
    formation = registered.client("lakeformation")
    before = formation.get_data_lake_settings()["DataLakeSettings"]
    before["Parameters"].pop("SET_CONTEXT")
    for resource in (DATABASE, TABLE):
        revoke(registered, resource, "ALL", principal=EVERYBODY)
    admins = {"DataLakeAdmins": [*before["DataLakeAdmins"], OPERATOR]}
    formation.put_data_lake_settings(DataLakeSettings={**before, **admins})
    yield Publisher.of(registered)
    formation.put_data_lake_settings(DataLakeSettings=before)
    for resource in (DATABASE, TABLE):
        formation.grant_permissions(Principal=EVERYBODY, Resource=resource, Permissions=["ALL"])


def test_an_administrator_may_use_every_location(registered: GovernedLake, admin: Publisher) -> None:
    for resource, permission in ((DATABASE, "CREATE_TABLE"), (TABLE, "ALTER")):
        grant(registered, resource, permission)
    try:
        for change in CHANGES.values():
            change(admin.client("glue"), "s3://pi-m3-gold/elsewhere/")
    finally:
        for resource, permission in ((DATABASE, "CREATE_TABLE"), (TABLE, "ALTER")):
            revoke(registered, resource, permission)


def test_an_administrator_may_not_create_tables_without_a_grant(admin: Publisher) -> None:
    with pytest.raises(ClientError, match="Required Create Table on gold"):
        CHANGES["CreateTable"](admin.client("glue"), "s3://pi-m3-silver/t/")


def test_an_administrator_drops_its_own_databases_and_not_those_of_others(admin: Publisher) -> None:
    glue = admin.client("glue")
    with pytest.raises(ClientError, match="Required Drop on gold"):
        glue.delete_database(Name="gold")
    glue.create_database(DatabaseInput={"Name": "own", "CreateTableDefaultPermissions": []})
    glue.delete_database(Name="own")


def test_a_drop_of_a_database_in_athena_needs_drop_on_each_table_from_administrators_too(
    registered: GovernedLake, admin: Publisher
) -> None:
    grant(registered, DATABASE, "DROP")
    try:
        state, reason = run_query(admin, "drop database gold cascade")
        assert (state, "Required Drop on t" in reason) == ("FAILED", True)
    finally:
        revoke(registered, DATABASE, "DROP")


@pytest.mark.parametrize(
    ("operation", "resource", "permission", "words"),
    [
        ("CreateTable", DATABASE, "CREATE_TABLE", "Required Create Table on gold"),
        ("UpdateTable", TABLE, "ALTER", "Required Alter on t"),
        ("BatchCreatePartition", TABLE, "ALTER", "Required Alter on t"),
        ("BatchUpdatePartition", TABLE, "ALTER", "Required Alter on t"),
    ],
)
def test_without_iam_allowed_principals_each_change_needs_its_permission(
    registered: GovernedLake, operation: str, resource: Any, permission: str, words: str
) -> None:
    glue = Publisher.of(registered).client("glue")
    revoke(registered, resource, "ALL", principal=EVERYBODY)
    try:
        with pytest.raises(ClientError) as refused:
            CHANGES[operation](glue, "s3://pi-m3-silver/t/")
        message = refused.value.response["Error"]["Message"]
        assert message == f"Insufficient Lake Formation permission(s): {words}"
        grant(registered, resource, permission)
        CHANGES[operation](glue, "s3://pi-m3-silver/t/")
        revoke(registered, resource, permission)
    finally:
        registered.client("lakeformation").grant_permissions(
            Principal=EVERYBODY, Resource=resource, Permissions=["ALL"]
        )


def test_the_permission_of_everyone_does_not_count_for_a_principal_that_opted_in(
    registered: GovernedLake,
) -> None:
    formation, glue = registered.client("lakeformation"), Publisher.of(registered).client("glue")
    formation.create_lake_formation_opt_in(Principal=OPERATOR, Resource=DATABASE)
    try:
        with pytest.raises(ClientError, match="Required Create Table on gold"):
            CHANGES["CreateTable"](glue, "s3://pi-m3-silver/t/")
    finally:
        formation.delete_lake_formation_opt_in(Principal=OPERATOR, Resource=DATABASE)


def test_the_creator_of_a_table_may_change_and_drop_it(registered: GovernedLake) -> None:
    publisher = Publisher.of(registered)
    glue, formation = publisher.client("glue"), registered.client("lakeformation")
    database = formation.get_data_lake_settings()["DataLakeSettings"]["CreateTableDefaultPermissions"]
    assert database, "otherwise this test proves nothing"
    CHANGES["CreateTable"](glue, "s3://pi-m3-silver/t/")
    new = {"Table": {"DatabaseName": "gold", "Name": "new"}}
    revoke(registered, new, "ALL", principal=EVERYBODY)
    glue.update_table(DatabaseName="gold", TableInput=described("s3://pi-m3-silver/u/", "new"))
    rows = formation.list_permissions(Resource=new)["PrincipalResourcePermissions"]
    holders = {row["Principal"]["DataLakePrincipalIdentifier"] for row in rows}
    assert holders == {arn("operator")}
    glue.delete_table(DatabaseName="gold", Name="new")
    revoke(registered, TABLE, "ALL", principal=EVERYBODY)
    with pytest.raises(ClientError, match="Required Drop on t"):
        glue.delete_table(DatabaseName="gold", Name="t")


def test_a_view_of_athena_needs_create_table_as_well(registered: GovernedLake) -> None:
    publisher = Publisher.of(registered)
    revoke(registered, DATABASE, "ALL", principal=EVERYBODY)
    try:
        state, reason = run_query(publisher, "create view new as select 1 as n")
        assert state == "FAILED"
        assert "Required Create Table on gold" in reason
        grant(registered, DATABASE, "CREATE_TABLE")
        assert run_query(publisher, "create view new as select 1 as n") == ("SUCCEEDED", "")
        revoke(registered, DATABASE, "CREATE_TABLE")
    finally:
        registered.client("lakeformation").grant_permissions(
            Principal=EVERYBODY, Resource=DATABASE, Permissions=["ALL"]
        )


def test_nothing_is_registered_before_a_caller_registers_it(lake: GovernedLake) -> None:
    """So the first demo needs no grant."""
    assert lake.client("lakeformation").list_resources()["ResourceInfoList"] == []
