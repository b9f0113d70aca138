"""A small governed lake on an embedded server, with the library's settings and clients for it."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.parquet as pq

from etltctl.aws import Aws
from etltctl.governance import Change, MissingPermission, apply, missing_permissions, require_access
from etltctl.local.client import keep_server, stop_server
from etltctl.pipeline import Step, changes_of_pipelines, refresh
from etltctl.pipeline.kinds import changes_of
from etltctl.querying import run_query
from etltctl.settings import Settings, load_settings
from support.sample_settings import on_sample

ACCOUNT = "123456789012"
CONFIG = Path(__file__).parents[2] / "glue_jobs" / "weather_config.json"
PLACES = tuple(sorted([*json.loads(CONFIG.read_text())["places"]][:5]))  # the data pack's zones come first
# Short names, which the texts of Lake Formation's refusals repeat.
NAMES = """
[athena.databases]
bronze = "bronze"
silver = "silver"
silver_rejects = "silver_rejects"
gold = "gold"
"""
ZONES = """
[governance]
location_role = "role:Reader"
principals = ["role:analyst", "role:engineer", "role:visitor", "role:pi-m3-glue"]
[governance.zones]
raw = { layers = ["bronze"] }
trusted = { layers = ["silver", "silver_rejects"] }
curated = { layers = ["gold"] }
"""


def require_step_access(settings: Settings, step: str) -> None:
    """Check the caller's permissions of Lake Formation for a step, as a run does."""
    aws = Aws.from_settings(settings)
    require_access(changes_of([Step.parse(step)], [], settings), settings, aws, aws.identity())


def missing_for_pipelines(settings: Settings) -> list[MissingPermission]:
    """Return what the caller lacks for the steps of all pipelines, as the doctor asks."""
    aws = Aws.from_settings(settings)
    return missing_permissions(changes_of_pipelines(settings), settings, aws, aws.identity())


def arn(role: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:role/{role}"


@dataclass(frozen=True)
class GovernedLake:
    """A folder with settings and a kept server; the roles analyst, engineer, visitor and Reader exist."""

    folder: Path
    environ: Mapping[str, str] = field(repr=False)
    clients: dict[str, Any] = field(default_factory=dict, compare=False)

    def settings(self, text: str, *, zones: str = ZONES) -> Settings:
        """Return the shipped settings with the zones and this text over them."""
        file = self.folder / "etltctl.toml"
        file.write_text(on_sample(NAMES + zones + text))
        return load_settings(
            config=file, env="local", environ={"ETLTCTL_STATE_DIR": str(self.folder / "state")}
        )

    def client(self, service: str) -> Any:
        """Return unmodified boto3."""
        if service not in self.clients:
            self.clients[service] = boto3.client(
                service,
                endpoint_url=self.environ["AWS_ENDPOINT_URL"],
                region_name="us-east-1",
                aws_access_key_id=self.environ["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=self.environ["AWS_SECRET_ACCESS_KEY"],
            )
        return self.clients[service]

    def apply(self, text: str, *, zones: str = ZONES) -> list[Change]:
        """Apply the settings and return the changes."""
        changes: list[Change] = []
        apply(self.settings(text, zones=zones), confirm=lambda plan: True, on_change=changes.append)
        return changes

    def ask(self, sql: str, role: str = "") -> list[dict[str, Any]]:
        """Return the rows of a query that the role runs."""
        principal = f"role:{role}" if role else ""
        answer = run_query(sql, self.settings(""), database="gold", principal=principal)
        return [dict(zip(answer.names, row, strict=True)) for row in answer.rows()]

    def put(self, table: str, **columns: Any) -> None:
        """Write a version of `layer.table` by hand and publish it."""
        layer, _, name = table.partition(".")
        body = io.BytesIO()
        pq.write_table(pa.table(columns), body)
        for file, content in (("part-0.parquet", body.getvalue()), ("_PUBLISHED", b"")):
            self.client("s3").put_object(Bucket=f"pi-m3-{layer}", Key=f"{name}/v=1/{file}", Body=content)
        refresh([table], self.settings(""))

    def permissions(self) -> set[tuple[str, str, str]]:
        """Return every permission as the service lists it: principal, resource, permission; with filters."""
        client = self.client("lakeformation")
        rows, token = [], {}
        while token is not None:
            page = client.list_permissions(MaxResults=1000, **token)
            rows += page["PrincipalResourcePermissions"]
            token = {"NextToken": page["NextToken"]} if page.get("NextToken") else None
        for name in ("weather_daily", "weather_monthly"):
            table = {"Table": {"DatabaseName": "gold", "Name": name}}
            permissions = client.list_permissions(Resource=table, IncludeRelated="TRUE")[
                "PrincipalResourcePermissions"
            ]
            rows += [row for row in permissions if "DataCellsFilter" in row["Resource"]]
        return {
            (row["Principal"]["DataLakePrincipalIdentifier"], str(row["Resource"]), name)
            for row in rows
            for name in row["Permissions"]
        }


@contextmanager
def governed_lake(folder: Path, environ: MutableMapping[str, str]) -> Iterator[GovernedLake]:
    """Yield a lake with three small tables of five places; `environ` leads to it until the block ends."""
    before = dict(environ)
    draft = GovernedLake(folder, {})
    settings = draft.settings(
        '[[governance.grants]]\nprincipal = "role:analyst"\nlayer = "gold"\npermissions = ["DESCRIBE"]'
    )
    server = keep_server(settings, {})
    try:
        environ.update(server.environ)
        lake = GovernedLake(folder, server.environ)
        numbers = {name: pa.array([float(n) for n in range(5)]) for name in ("temp_mean_c", "lat", "lon")}
        tags = {"notes": pa.array([["x"]] * 5)}
        for table in ("gold.weather_daily", "gold.weather_monthly", "silver.weather_observation"):
            lake.put(table, city_key=pa.array(PLACES), **numbers, **tags)
        yield lake
    finally:
        stop_server(settings)
        environ.clear()
        environ.update(before)


PATAGONIA = "city_key in ('el_calafate', 'puerto_madryn', 'san_carlos_de_bariloche')"


FILTERED = f"""
[governance.filters."gold.weather_daily".patagonia]
rows = "{PATAGONIA}"
exclude_columns = ["lat", "lon"]
[[governance.grants]]
principal = "role:analyst"
table = "gold.weather_daily"
filters = ["patagonia"]
permissions = ["SELECT"]
"""


def grant(principal: str, about: str, *permissions: str, **more: Any) -> str:
    names = ", ".join(f'"{name}"' for name in permissions)
    return f'\n[[governance.grants]]\nprincipal = "{principal}"\n{about}\npermissions = [{names}]\n'


def seen(
    lake: GovernedLake, sql: str = "select * from weather_daily", role: str = "analyst"
) -> list[dict[str, Any]]:
    return lake.ask(sql, role)


def filter_data(table: str, rows: str, **more: Any) -> dict[str, Any]:
    named = {"TableCatalogId": ACCOUNT, "DatabaseName": "gold", "TableName": table, "Name": "f"}
    return {**named, "RowFilter": {"FilterExpression": rows}, "ColumnWildcard": {}, **more}
