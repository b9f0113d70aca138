"""From the settings to bronze: a source of `kind = "airbyte"` on the embedded server."""

from __future__ import annotations

from pathlib import Path

from etltctl.local.client.stack import describe_stack
from etltctl.local.kernel.processes import wait_until
from etltctl.settings import load_settings
from support.connector_server import ConnectorServer
from support.tiny_connector import PACKAGE

SETTINGS = f"""\
[lake]
bronze = "s3://bronze"
[sources.ships]
kind = "airbyte"
package = "{PACKAGE}"
streams = ["Big Ships"]
[sources.ships.config]
api_key = "env:SHIPS_KEY"
streams = [{{ name = "Big Ships", json_schema = {{ properties = {{ id = {{ type = "integer" }} }} }} }}]
script = [{{ records = ["Big Ships", 2] }}]
"""


def configured(server: ConnectorServer, folder: Path, text: str, **environ: str) -> dict[str, str]:
    (folder / "etltctl.toml").write_text(text)
    settings = load_settings(directory=folder, environ={}, env="local")
    connections = describe_stack(settings, environ)["connections"]
    server.configure(*(each for each in connections if each["name"] == "ships"))
    return settings.stream_locations("ships")


def test_rows_land_where_the_settings_read_bronze(server: ConnectorServer, tmp_path: Path) -> None:
    locations = configured(server, tmp_path, SETTINGS, SHIPS_KEY="k3y-of-ships")
    assert server.sync("ships")["status"] == "succeeded"
    (location,) = locations.values()
    assert list(locations) == ["ships_big_ships"]
    assert [row["id"] for row in server.read(location.removeprefix("s3://bronze/"))] == [0, 1]


def test_the_progress_of_an_environment_is_shown_while_the_sync_runs(server: ConnectorServer) -> None:
    server.describe([{"sleep": 3}, {"records": ["ships", 1]}])
    body = {"connectionId": server.ids["tiny"], "jobType": "sync"}
    job = server.http.post("/jobs", json=body).json()["jobId"]
    notes: list[str] = []

    def is_shown() -> bool:
        notes.append(server.http.get(f"/jobs/{job}").json().get("etltctl_note", ""))
        return bool(notes[-1])

    assert wait_until(is_shown, 20)
    assert notes[-1] == "reading ships"
    assert "etltctl_note" not in server.wait(job)


def test_a_secret_without_value_fails_the_sync_by_name(server: ConnectorServer, tmp_path: Path) -> None:
    configured(server, tmp_path, SETTINGS)
    message = server.sync("ships")["etltctl_failure"]["message"]
    assert message.startswith("sources.ships.config.api_key is env:SHIPS_KEY, but SHIPS_KEY is not set")


def test_a_source_without_connector_says_what_to_set(server: ConnectorServer, tmp_path: Path) -> None:
    configured(
        server,
        tmp_path,
        '[lake]\nbronze = "s3://bronze"\n[sources.ships]\nkind = "airbyte"\nstreams = ["a"]\n',
    )
    message = server.sync("ships")["etltctl_failure"]["message"]
    assert "set sources.ships.manifest or .package" in message


def test_what_a_manifest_marks_as_a_secret_is_masked_in_the_source(
    server: ConnectorServer, tmp_path: Path
) -> None:
    secret = "{oneOf: [{properties: {pin: {airbyte_secret: true}}}]}"
    spec = f"spec: {{connection_specification: {{properties: {{auth: {secret}}}}}}}\n"
    (tmp_path / "own.yaml").write_text(f"type: DeclarativeSource\n{spec}")
    text = '[sources.ships]\nkind = "airbyte"\nmanifest = "own.yaml"\nstreams = ["ships"]\n'
    configured(server, tmp_path, f'{text}config = {{ auth = {{ user = "me", pin = "98765" }} }}\n')
    (source,) = server.http.get("/sources").json()["data"]
    assert source["configuration"] == {"auth": {"user": "me", "pin": "**********"}}
