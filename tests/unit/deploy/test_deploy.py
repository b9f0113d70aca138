"""The files that run Airflow in Docker, compared with each other and with the versions of the tests."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

PROJECT = Path(__file__).parents[3]
FOLDER = PROJECT / "deploy" / "airflow"
T3_LARGE_MB = 8 * 1024 - 512  # the system keeps a part


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    return dict(yaml.safe_load((FOLDER / "compose.yaml").read_text())["services"])


def megabytes(text: str) -> int:
    return int(text[:-1]) * {"m": 1, "g": 1024}[text[-1]]


def variables(text: str) -> set[str]:
    return {line.partition("=")[0] for line in text.splitlines() if re.match(r"[A-Z]", line)}


def test_the_image_has_the_same_airflow_as_the_tests() -> None:
    image = re.search(r"AIRFLOW_VERSION=(\S+)", (FOLDER / "Dockerfile").read_text())
    locked = re.search(
        r"^apache-airflow==(\S+)", (PROJECT / "requirements/airflow3.txt").read_text(), re.MULTILINE
    )
    assert image is not None
    assert locked is not None
    assert image[1] == locked[1]


def test_the_image_has_everything_etltctl_needs() -> None:
    """If it fails after a change of the dependencies, run `make lock`."""
    needed = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["dependencies"]
    locked = set(
        re.findall(r"^([\w.-]+)==", (PROJECT / "requirements/airflow3.txt").read_text(), re.MULTILINE)
    )
    assert {re.match(r"[\w.-]+", text)[0].lower() for text in needed} <= locked  # type: ignore[index]


def test_all_services_together_fit_the_machine(services: dict[str, dict[str, Any]]) -> None:
    running = {name: megabytes(service["mem_limit"]) for name, service in services.items() if name != "init"}
    assert len(running) == 5
    assert sum(running.values()) <= T3_LARGE_MB


def test_every_permanent_service_is_monitored_and_restarted(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        if name != "init":
            assert "test" in service["healthcheck"], name
            assert service["restart"] == "unless-stopped", name


def test_no_port_is_reachable_from_outside_the_machine(services: dict[str, dict[str, Any]]) -> None:
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert ports == ["127.0.0.1:8080:8080"]


def test_every_secret_is_required_and_none_is_stored_in_the_file() -> None:
    example = (FOLDER / "airflow.env.example").read_text()
    text = (FOLDER / "compose.yaml").read_text()
    required = set(re.findall(r"\$\{(\w+):\?", text))
    assert set(re.findall(r"(?<!\$)\$\{(\w+)", text)) == required <= variables(example)
    assert all(f"{name}=\n" in example for name in required)


def test_new_secrets_are_long_and_different_and_keep_existing_ones() -> None:
    def new_secrets() -> dict[str, str]:
        done = subprocess.run([FOLDER / "new-env.sh"], check=True, capture_output=True, text=True)
        lines = [line.partition("=") for line in done.stdout.splitlines() if re.match(r"[A-Z]", line)]
        return {name: value for name, _, value in lines}

    first, second = new_secrets(), new_secrets()
    filled = {name for name in first if first[name] != second[name]}
    assert filled == {
        "POSTGRES_PASSWORD", "AIRFLOW_FERNET_KEY", "AIRFLOW_JWT_SECRET", "AIRFLOW_ADMIN_PASSWORD", "AIRFLOW_WEB_SECRET",
    }  # fmt: skip
    assert all(re.fullmatch(r"[\w-]{43}=", first[name]) for name in filled)
    assert first["ETLTCTL__AIRBYTE__CLIENT_SECRET"].startswith("secretsmanager:")
