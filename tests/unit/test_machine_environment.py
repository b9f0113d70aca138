"""The Airflow machine's environment: a variable for each source whose connection a variable names."""

from __future__ import annotations

import pytest

from etltctl.errors import ConfigurationError
from etltctl.infrastructure.bundle import environment
from etltctl.settings import Settings, load_settings


def settings_with(source: str, connection: str) -> Settings:
    """Return settings with one more source."""
    more = {"kind": "http", "connection_id": connection, "base_url": "https://x.test", "seasons": [2024]}
    return load_settings(env="aws", environ={}, flags={"sources": {source: more}})


def variables(settings: Settings) -> set[str]:
    return {line.partition("=")[0] for line in environment(settings)}


@pytest.mark.parametrize("source", ["orders", "orders_2"])
def test_a_source_s_connection_comes_from_the_secret(source: str) -> None:
    assert f"ETLTCTL__SOURCES__{source.upper()}__CONNECTION_ID" in variables(
        settings_with(source, "env:CONNECTION")
    )


@pytest.mark.parametrize("source", ["or-ders", "Orders", "or ders", "or.ders", "orders__eu", "örders"])
def test_a_source_whose_name_cannot_be_a_variable_is_refused_by_name(source: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        environment(settings_with(source, "env:CONNECTION"))
    assert f"the source {source};" in raised.value.message
    assert f"sources.{source}.connection_id" in raised.value.hint


def test_such_a_source_is_accepted_if_the_settings_name_its_connection() -> None:
    assert not {name for name in variables(settings_with("or-ders", "7f0c")) if "OR-DERS" in name}
