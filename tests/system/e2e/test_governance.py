"""The worked example of governance on the embedded endpoints: the installed etltctl, and tables written by hand."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from support.sample_settings import on_sample
from support.wire import flaws
from support.workplace import Workplace

pytestmark = pytest.mark.e2e
EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "governance.toml"
CONFIG = Path(__file__).parents[3] / "glue_jobs" / "weather_config.json"
PLACES = tuple(sorted([*json.loads(CONFIG.read_text())["places"]][:5]))  # the data pack's zones come first
# The example for gold tables that have coordinates: a filter protects one, LF-tags protect the others.
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


def example() -> str:
    """Return the worked example with coordinates in gold."""
    text = EXAMPLE.read_text()
    text = text.replace("[governance.filters", f"{COORDINATES}\n[governance.filters", 1)
    rows = "'san_carlos_de_bariloche')\"\n"
    assert rows in text
    return text.replace(rows, f'{rows}exclude_columns = ["lat", "lon"]\n', 1)


@pytest.fixture(scope="module")
def governed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workplace]:
    """Yield a lake with small tables of five places, with the worked example applied."""
    place = Workplace(tmp_path_factory.mktemp("governed"))
    (place.folder / "etltctl.toml").write_text(on_sample(example()))
    url = place.json("local", "up")["url"]
    try:
        client = aws(place, url, "s3")
        for (layer, table), columns in TABLES.items():
            body = io.BytesIO()
            pq.write_table(pa.table(columns), body)
            for name, content in (("part-0.parquet", body.getvalue()), ("_PUBLISHED", b"")):
                client.put_object(Bucket=f"pi-m3-{layer}", Key=f"{table}/v=1/{name}", Body=content)
        place.run("athena", "refresh", *(f"{layer}.{table}" for layer, table in TABLES))
        aws(place, url, "iam").create_role(RoleName="visitor", AssumeRolePolicyDocument="{}")
        yield place
    finally:
        place.run("local", "down")


def aws(place: Workplace, url: str, service: str) -> Any:
    keys = place.keys
    return boto3.client(
        service, endpoint_url=url, region_name="us-east-1",
        aws_access_key_id=keys.access_key_id, aws_secret_access_key=keys.secret_access_key,
    )  # fmt: skip


def test_the_worked_example_runs_from_plan_to_audit(governed: Workplace) -> None:
    """The analyst sees three of five places and no coordinates; a role without a grant is refused."""
    planned = governed.run("govern", "plan", "--detailed-exitcode", code=10).stdout
    assert (
        "  + filters   filter patagonia of pi_m3_gold.weather_daily: rows city_key in ('el_calafate',"
        in planned
    )
    assert (
        "SELECT on pi_m3_gold.weather_daily through filter patagonia to arn:aws:iam::123456789012:role/analyst"
        in planned
    )
    assert "nothing touched" in planned
    assert governed.run("govern", "apply", "--dry-run").stdout == planned
    refusal = governed.run("govern", "apply", code=5).stderr
    assert "the plan takes something away, and it was not confirmed; nothing was changed" in refusal
    assert governed.json("govern", "apply", "--yes")["changes"] > 20
    assert governed.json("govern", "plan", "--detailed-exitcode")["changes"] == []

    seen = governed.json(
        "athena", "query", "select * from weather_daily order by city_key", "--as", "role:analyst"
    )
    assert [row["city_key"] for row in seen["rows"]] == [
        "el_calafate",
        "puerto_madryn",
        "san_carlos_de_bariloche",
    ]
    assert [column["name"] for column in seen["columns"]] == ["city_key", "temp_mean_c"]
    monthly = governed.json("athena", "query", "select * from weather_monthly", "--as", "role:analyst")
    assert len(monthly["rows"]) == 5
    assert [column["name"] for column in monthly["columns"]] == ["city_key", "temp_mean_c"]
    words = refused(governed, "analyst", "select lat from weather_daily", code=1)
    assert "Column 'lat' cannot be resolved or requester is not authorized" in words
    words = refused(governed, "analyst", "select city_key from pi_m3_silver.weather_observation")
    assert (
        "Required Select on pi_m3_silver.weather_observation for arn:aws:iam::123456789012:role/analyst"
        in words
    )
    words = refused(governed, "visitor", "select * from weather_daily")
    assert "Required Select on pi_m3_gold.weather_daily for arn:aws:iam::123456789012:role/visitor" in words
    assert "etltctl govern who" in words
    words = refused(governed, "stranger", "select 1")
    assert (
        "not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::123456789012:role/stranger"
        in words
    )
    assert len(governed.query("select city_key, lat, lon from weather_daily")) == 5

    who = governed.json("govern", "who", "gold.weather_daily")["rows"]
    (analyst,) = [row for row in who if row["principal"].endswith("role/analyst")]
    assert analyst == {
        "principal": "arn:aws:iam::123456789012:role/analyst",
        "columns": "city_key, temp_mean_c",
        "rows": "city_key in ('el_calafate', 'puerto_madryn', 'san_carlos_de_bariloche')",
        "through": "pi_m3_gold.weather_daily through filter patagonia",
    }
    audit = governed.json("govern", "audit", "--table", "gold.weather_daily", "--since", "1h")["rows"]
    outcomes = {(row["principal"].rpartition("/")[2], row["outcome"]) for row in audit}
    assert outcomes == {("analyst", "allowed"), ("visitor", "AccessDenied"), ("etltctl", "allowed")}


def refused(place: Workplace, role: str, sql: str, code: int = 4) -> str:
    return place.run("athena", "query", sql, "--as", f"role:{role}", code=code).stderr


def test_a_job_whose_table_the_caller_may_not_publish_is_not_started(governed: Workplace) -> None:
    governed.run("govern", "apply", "--yes")
    caller = "arn:aws:iam::123456789012:user/etltctl"
    url = governed.json("local", "up")["url"]
    aws(governed, url, "lakeformation").revoke_permissions(
        Principal={"DataLakePrincipalIdentifier": caller},
        Resource={"Table": {"DatabaseName": "pi_m3_gold", "Name": "weather_daily"}},
        Permissions=["ALL"],
        PermissionsWithGrantOption=["ALL"],
    )
    refusal = governed.run("run", "mongodb", "--only", "silver_to_gold", code=4).stderr
    assert (
        f"error: glue:silver_to_gold cannot run: {caller} lacks ALTER on pi_m3_gold.weather_daily" in refusal
    )
    assert "  code: E203\n" in refusal
    assert "  needs: ALTER\n" in refusal
    assert "  step: glue:silver_to_gold\n" in refusal
    assert list((governed.folder / ".etltctl" / "glue" / "runs").glob("jr_*.json")) == []


def test_without_governance_there_is_nothing_to_plan(governed: Workplace) -> None:
    (governed.folder / "none.toml").write_text("")
    refusal = governed.run("-c", "none.toml", "govern", "plan", code=2).stderr
    assert "no governance is configured" in refusal


def test_no_call_of_governance_contradicts_the_services_models(governed: Workplace) -> None:
    assert flaws(governed.folder / ".etltctl" / "server" / "witness.jsonl") == set()
