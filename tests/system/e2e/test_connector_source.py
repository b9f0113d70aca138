"""A source of `kind = "airbyte"` from the command line: settings, sync, table, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.tiny_connector import PACKAGE, offline, write_wheel
from support.workplace import Workplace

pytestmark = pytest.mark.e2e
SECRET = "k3y-of-the-ships"
SETTINGS = f"""\
[lake]
bronze = "s3://harbour-bronze"

[athena.databases]
bronze = "harbour_bronze"

[sources.ships]
kind = "airbyte"
package = "{PACKAGE}"
streams = ["ships", "Ports"]
connection_id = "env:AIRBYTE_SHIPS_CONNECTION_ID"

[sources.ships.config]
api_key = "env:SHIPS_KEY"
script = [{{ raw = "the key is {SECRET}" }}, {{ records = ["Ports", 2] }}, {{ records = ["ships", 20] }}]
streams = [
    {{ name = "ships", json_schema = {{ properties = {{ id = {{ type = "integer" }} }} }} }},
    {{ name = "Ports", json_schema = {{ properties = {{ id = {{ type = "integer" }} }} }} }},
]

[pipelines.ships]
steps = ["sync:ships", "athena:refresh"]
"""


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    write_wheel(tmp_path / "wheels")
    (tmp_path / "etltctl.toml").write_text(SETTINGS)
    return Workplace(tmp_path, {**offline(tmp_path / "wheels"), "SHIPS_KEY": SECRET})


def test_a_connector_fills_tables_that_athena_reads(place: Workplace) -> None:
    place.run("config", "validate")
    place.run("run", "ships")
    answer = place.run(
        "-o", "json", "athena", "query", "select count(*) as n, max(id) as m from harbour_bronze.ships_ships"
    )
    assert json.loads(answer.stdout)["rows"] == [{"n": 20, "m": 19}]
    kept = [
        file
        for file in (place.folder / ".etltctl").rglob("*")
        if file.is_file() and file.stat().st_size < 10**6
    ]
    named = [file for file in kept if SECRET.encode() in file.read_bytes()]
    assert named == [], "the secret is in no file of the state folder"


def test_a_secret_in_the_file_is_refused(place: Workplace) -> None:
    file = place.folder / "etltctl.toml"
    file.write_text(SETTINGS.replace("env:SHIPS_KEY", "literal-key"))
    refused = place.run("config", "validate", code=3)
    assert "sources.ships.config.api_key holds the secret itself" in refused.stderr
    assert '"env:SHIPS_API_KEY"' in refused.stderr
    assert "literal-key" not in refused.stdout + refused.stderr
