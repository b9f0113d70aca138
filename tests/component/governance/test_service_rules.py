"""The embedded Lake Formation: it refuses, reports and lists as AWS does."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from support.governed import GovernedLake, arn, filter_data


@pytest.mark.parametrize(
    ("operation", "arguments", "says"),
    [
        (
            "create_data_cells_filter",
            {"TableData": filter_data("weather_daily", "nope = 1")},
            "unknown columns",
        ),
        (
            "create_data_cells_filter",
            {"TableData": filter_data("weather_daily", "lat >")},
            "Invalid filter expression",
        ),
        (
            "create_data_cells_filter",
            {"TableData": filter_data("weather_daily", "notes is null")},
            "nested types",
        ),
        (
            "create_data_cells_filter",
            {"TableData": filter_data("weather_daily", "lat > 1", ColumnNames=["nope"], ColumnWildcard=None)},
            "Column(s) not found",
        ),
        ("create_data_cells_filter", {"TableData": filter_data("nothing", "lat > 1")}, "Table not found"),
        (
            "create_lf_tag",
            {"TagKey": "many", "TagValues": [str(n) for n in range(51)]},
            "between 1 and 50|less than or equal to 50",
        ),
        ("register_resource", {"ResourceArn": "arn:aws:s3:::x"}, "A role must be given"),
    ],
)
def test_the_embedded_service_refuses_the_same_calls_as_aws(
    lake: GovernedLake, operation: str, arguments: dict[str, Any], says: str
) -> None:
    data = arguments.get("TableData", {})
    arguments = {
        **arguments,
        **({"TableData": {k: v for k, v in data.items() if v is not None}} if data else {}),
    }
    with pytest.raises(Exception, match=says.replace("(s)", r"\(s\)")):
        getattr(lake.client("lakeformation"), operation)(**arguments)


@pytest.mark.parametrize(
    ("principal", "permissions", "says"),
    [
        ("arn:aws:iam::123456789012:role/unknown", ["SELECT"], "Invalid principal"),
        (arn("visitor"), ["CREATE_TABLE"], "Permissions modification is invalid"),
    ],
)
def test_the_embedded_service_reports_failures_in_the_body(
    lake: GovernedLake, principal: str, permissions: list[str], says: str
) -> None:
    lake.apply("")
    table = {"Table": {"DatabaseName": "gold", "Name": "weather_daily"}}
    entry = {
        "Id": "1",
        "Principal": {"DataLakePrincipalIdentifier": principal},
        "Resource": table,
        "Permissions": permissions,
    }
    (failure,) = lake.client("lakeformation").batch_grant_permissions(Entries=[entry])["Failures"]
    assert says in failure["Error"]["ErrorMessage"]


def test_all_and_select_are_listed_expanded_as_aws_lists_them(lake: GovernedLake) -> None:
    lake.apply("")
    client, visitor = lake.client("lakeformation"), {"DataLakePrincipalIdentifier": arn("visitor")}
    table = {"Table": {"DatabaseName": "gold", "Name": "weather_daily"}}
    client.grant_permissions(Principal=visitor, Resource=table, Permissions=["ALL"])
    rows = client.list_permissions(Principal=visitor)["PrincipalResourcePermissions"]
    assert {next(iter(row["Resource"])): row["Permissions"] for row in rows} == {
        "Table": ["ALL", "ALTER", "DELETE", "DESCRIBE", "DROP", "INSERT"],
        "TableWithColumns": ["SELECT"],
    }
    assert {
        str(row["Resource"]["TableWithColumns"]["ColumnWildcard"])
        for row in rows
        if "TableWithColumns" in row["Resource"]
    } == {"{}"}
    with pytest.raises(ClientError, match="Grantee does not have"):
        client.revoke_permissions(
            Principal=visitor, Resource={"Database": {"Name": "gold"}}, Permissions=["DESCRIBE"]
        )
    role = lake.client("sts").assume_role(RoleArn=arn("visitor"), RoleSessionName="visit")["Credentials"]
    with pytest.raises(ClientError, match="AccessDenied"):
        as_visitor(lake, role).grant_permissions(Principal=visitor, Resource=table, Permissions=["SELECT"])


def as_visitor(lake: GovernedLake, request: dict[str, Any]) -> Any:
    import boto3

    return boto3.client(
        "lakeformation", endpoint_url=lake.environ["AWS_ENDPOINT_URL"], region_name="us-east-1",
        aws_access_key_id=request["AccessKeyId"], aws_secret_access_key=request["SecretAccessKey"],
        aws_session_token=request["SessionToken"],
    )  # fmt: skip


def test_grants_and_tags_of_a_table_are_deleted_with_it(lake: GovernedLake) -> None:
    glue = lake.client("glue")
    table = {
        "Name": "brief",
        "StorageDescriptor": {"Columns": [{"Name": "n", "Type": "int"}], "Location": "s3://pi-m3-gold/b/"},
    }
    glue.create_table(DatabaseName="gold", TableInput=table)
    client, visitor = lake.client("lakeformation"), {"DataLakePrincipalIdentifier": arn("visitor")}
    about = {"Table": {"DatabaseName": "gold", "Name": "brief"}}
    client.grant_permissions(Principal=visitor, Resource=about, Permissions=["ALTER"])
    glue.delete_table(DatabaseName="gold", Name="brief")
    glue.create_table(DatabaseName="gold", TableInput=table)
    rows = client.list_permissions(Resource=about)["PrincipalResourcePermissions"]
    assert arn("visitor") not in {row["Principal"]["DataLakePrincipalIdentifier"] for row in rows}
    glue.delete_table(DatabaseName="gold", Name="brief")
