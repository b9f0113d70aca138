"""The worked example of governance on the embedded endpoints: the installed etltctl, tables written by hand."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from workplace import Workplace

pytestmark = pytest.mark.e2e
EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "governance.toml"
PLACES = ("bariloche", "el_calafate", "newark", "puerto_madryn", "riohacha")
PATAGONIA = ["bariloche", "el_calafate", "puerto_madryn"]
# The example, for tables that also have coordinates in gold: by filter in one, by LF-tags in the other.
COORDINATES = """
"gold.weather_monthly.lat" = { audience = "named" }
"gold.weather_monthly.lon" = { audience = "named" }
"""


def rows_of(*more: str) -> dict[str, Any]:
    columns = {name: pa.array([float(n) for n in range(5)]) for name in ("temp_mean_c", *more)}
    return {"city_key": pa.array(PLACES), **columns}


TABLES = {
    ("gold", "weather_daily"): rows_of("lat", "lon"),
    ("gold", "weather_monthly"): rows_of("lat", "lon"),
    ("silver", "weather_observation"): rows_of("lat", "lon"),
    ("silver", "f1_circuit"): rows_of("lat", "lon"),
}


def example(text: str = "") -> str:
    """The worked example with coordinates in gold, and more."""
    told = EXAMPLE.read_text()
    told = told.replace("[governance.filters", f"{COORDINATES}\n[governance.filters", 1)
    rows = "'puerto_madryn')\"\n"
    assert rows in told
    return told.replace(rows, f'{rows}exclude_columns = ["lat", "lon"]\n', 1) + text


@pytest.fixture(scope="module")
def governed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workplace]:
    """A lake with small tables of five places, to which the worked example was applied."""
    place = Workplace(tmp_path_factory.mktemp("governed"))
    (place.folder / "etltctl.toml").write_text(example())
    url = place.json("local", "up")["url"]
    try:
        client = aws(url, "s3")
        for (layer, table), columns in TABLES.items():
            body = io.BytesIO()
            pq.write_table(pa.table(columns), body)
            for name, content in (("part-0.parquet", body.getvalue()), ("_SUCCESS", b"")):
                client.put_object(Bucket=f"pi-m3-{layer}", Key=f"{table}/v=1/{name}", Body=content)
        place.run("athena", "refresh", *(f"{layer}.{table}" for layer, table in TABLES))
        aws(url, "iam").create_role(RoleName="visitor", AssumeRolePolicyDocument="{}")
        place.run("govern", "apply", "--yes")
        yield place
    finally:
        place.run("local", "down")


def aws(url: str, service: str) -> Any:
    return boto3.client(
        service, endpoint_url=url, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b"
    )


def asked(place: Workplace, role: str, sql: str) -> list[dict[str, Any]]:
    return list(place.json("athena", "query", sql, "--as", f"role:{role}")["rows"])


def refused(place: Workplace, role: str, sql: str, code: int = 4) -> str:
    return place.run("athena", "query", sql, "--as", f"role:{role}", code=code).stderr


def test_the_analyst_sees_three_of_five_places_and_no_coordinates(governed: Workplace) -> None:
    seen = asked(governed, "analyst", "select * from weather_daily order by city_key")
    assert [row["city_key"] for row in seen] == PATAGONIA
    assert set(seen[0]) == {"city_key", "temp_mean_c"}
    assert asked(governed, "analyst", "select count(*) as n from weather_daily where temp_mean_c >= 0") == [
        {"n": 3}
    ]
    monthly = asked(governed, "analyst", "select * from weather_monthly")
    assert len(monthly) == 5
    assert set(monthly[0]) == {"city_key", "temp_mean_c"}


def test_a_column_that_is_not_granted_is_refused_in_athena_s_words(governed: Workplace) -> None:
    for table in ("weather_daily", "weather_monthly"):
        words = refused(governed, "analyst", f"select lat from {table}", code=1)
        assert "COLUMN_NOT_FOUND" in words
        assert "requester is not authorized" in words
    assert "is not authorized" in refused(
        governed, "analyst", "select 1 from weather_daily where lon > 0", code=1
    )


def test_the_analyst_sees_the_curated_zone_only(governed: Workplace) -> None:
    words = refused(governed, "analyst", "select city_key from silver.weather_observation")
    assert "Insufficient Lake Formation permission(s): Required Select on silver.weather_observation" in words
    assert "role/analyst" in words
    assert asked(governed, "analyst", "show tables in silver") == []
    assert {row["tab_name"] for row in asked(governed, "analyst", "show tables in gold")} == {
        "weather_daily", "weather_monthly",
    }  # fmt: skip


def test_a_role_that_nothing_is_granted_to_gets_a_clear_refusal(governed: Workplace) -> None:
    words = refused(governed, "visitor", "select * from weather_daily")
    assert "Required Select on gold.weather_daily for arn:aws:iam::123456789012:role/visitor" in words
    assert "etltctl govern who" in words


def test_a_role_that_does_not_exist_cannot_be_taken_on(governed: Workplace) -> None:
    words = refused(governed, "nobody", "select 1")
    assert (
        "not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::123456789012:role/nobody"
        in words
    )


def test_whoever_uses_the_machine_sees_all(governed: Workplace) -> None:
    assert len(governed.query("select city_key, lat, lon from weather_daily")) == 5


def test_a_plan_after_apply_is_empty_and_a_second_apply_writes_nothing(governed: Workplace) -> None:
    assert governed.json("govern", "plan", "--detailed-exitcode")["changes"] == []
    before = calls(governed)
    assert governed.json("govern", "apply") == {"schema": "etltctl.govern-apply/1", "changes": 0}
    made = calls(governed)[len(before) :]
    assert made
    assert [call for call in made if not call.startswith(("Get", "List", "Describe", "Search"))] == []


def calls(place: Workplace) -> list[str]:
    """The operations of the catalog and of Lake Formation that the server's log tells of."""
    log = (place.folder / ".etltctl" / "server" / "server.log").read_text().splitlines()
    named = [line.split() for line in log if " POST " in line]
    about = [words[words.index("POST") + 1].lstrip("/") or words[-2].rpartition(".")[2] for words in named]
    return [name for name in about if name and not name.startswith(("_etltctl", "-", "/"))]


def test_who_tells_principals_columns_rows_and_the_grant(governed: Workplace) -> None:
    seen = {
        row["principal"].rpartition("/")[2]: row
        for row in governed.json("govern", "who", "gold.weather_daily")["rows"]
    }
    assert seen["analyst"] == {
        "principal": "arn:aws:iam::123456789012:role/analyst",
        "columns": "city_key, temp_mean_c",
        "rows": "city_key in ('bariloche', 'el_calafate', 'puerto_madryn')",
        "through": "gold.weather_daily through filter patagonia",
    }
    assert "visitor" not in seen
    assert "everybody whom IAM lets in" not in seen
    monthly = governed.json("govern", "who", "gold.weather_monthly")["rows"]
    (analyst,) = [row for row in monthly if row["principal"].endswith("/analyst")]
    assert (analyst["columns"], analyst["rows"]) == ("city_key, temp_mean_c", "all")
    assert analyst["through"] == "tables tagged audience=everyone and zone=curated"


def test_reads_and_refusals_are_in_the_audit(governed: Workplace) -> None:
    asked(governed, "analyst", "select * from weather_monthly")
    refused(governed, "visitor", "select * from weather_monthly")
    found = governed.json("govern", "audit", "--table", "gold.weather_monthly", "--since", "1h")["rows"]
    told = {(row["principal"].rpartition("/")[2], row["outcome"]) for row in found}
    assert {("analyst", "allowed"), ("visitor", "AccessDenied")} <= told
    assert {row["table"] for row in found} == {"gold.weather_monthly"}
    assert {row["service"] for row in found} == {"ATHENA"}


def test_drift_is_planned_and_mended(governed: Workplace) -> None:
    url = governed.json("local", "status")["url"]
    formation = aws(url, "lakeformation")
    table = {"Table": {"DatabaseName": "gold", "Name": "weather_daily"}}
    analyst = {"DataLakePrincipalIdentifier": "arn:aws:iam::123456789012:role/analyst"}
    formation.grant_permissions(Principal=analyst, Resource=table, Permissions=["SELECT"])
    assert len(asked(governed, "analyst", "select * from weather_daily")) == 5
    planned = governed.run("govern", "plan", "--detailed-exitcode", code=10).stdout
    assert "- revokes  SELECT on gold.weather_daily from arn:aws:iam::123456789012:role/analyst" in planned
    refusal = governed.run("govern", "apply", code=5).stderr
    assert "nothing was changed" in refusal
    governed.run("govern", "apply", "--yes")
    assert len(asked(governed, "analyst", "select * from weather_daily")) == 3


def test_a_mistake_is_refused_at_plan_time_with_its_place(governed: Workplace) -> None:
    wrong = governed.folder / "wrong.toml"
    wrong.write_text(
        example(
            """
[governance.filters."gold.weather_daily".wrong]
rows = "citykey = 'x' and temp_mean_c > 3"
columns = ["temp"]

[[governance.grants]]
principal = "role:analyst"
table = "gold.nothing"
permissions = ["SELECT"]
"""
        )
    )
    told = governed.run("-c", "wrong.toml", "govern", "plan", code=3).stderr
    lines = wrong.read_text().splitlines()
    rows = next(n for n, line in enumerate(lines, 1) if "citykey" in line)
    assert f"wrong.toml:{rows}:1: gold.weather_daily has no column citykey" in told
    assert f"wrong.toml:{rows - 1}:2: gold.weather_daily has no column temp" in told
    grant = len(lines) - 3
    assert f"wrong.toml:{grant}:3: there is no table gold.nothing in the catalog" in told


def test_without_governance_there_is_nothing_to_plan(governed: Workplace) -> None:
    (governed.folder / "none.toml").write_text("")
    told = governed.run("-c", "none.toml", "govern", "plan", code=2).stderr
    assert "the settings govern nothing" in told
