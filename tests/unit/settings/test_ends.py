"""Settings of both ends of the pipe: Airbyte's connections and Tableau's site."""

from __future__ import annotations

from pathlib import Path

import pytest

from etltctl.connections.desired import split_uri
from etltctl.errors import ConfigurationError
from etltctl.settings import load_settings


@pytest.mark.parametrize(
    ("flag", "value", "says"),
    [
        ("sources.api.schedule", "0 0 3 * * ?", "must be 'manual', or 'cron'"),
        ("sources.api.schedule", "cron 0 3 * * *", "Quartz"),
        ("sources.api.sync_mode", "incremental_deduped_history", "full_refresh_overwrite"),
        ("airbyte.destination.codec", "LZO", "SNAPPY"),
        ("tableau.timeout_minutes", 0, "timeout_minutes"),
        ("tableau.datasources.x.table", "daily", "layer.table"),
    ],
)
def test_an_impossible_value_is_reported_before_anything_starts(
    tmp_path: Path, flag: str, value: object, says: str
) -> None:
    with pytest.raises(ConfigurationError) as raised:
        load_settings(flags={flag: value}, env="local", environ={}, directory=tmp_path)
    assert says in "".join(raised.value.problems)


def test_secrets_of_destination_and_site_are_printed_as_references_or_stars(tmp_path: Path) -> None:
    flags = {"airbyte.destination.secret_access_key": "s3cret", "tableau.token_secret": "env:TOKEN"}
    settings = load_settings(flags=flags, env="local", environ={}, directory=tmp_path)
    shown = {value.key: value.value for value in settings.values()}
    assert shown["airbyte.destination.secret_access_key"] == "***"
    assert shown["tableau.token_secret"] == "env:TOKEN (not set)"
    assert "s3cret" not in repr(settings)


@pytest.mark.parametrize(
    ("uri", "parts"),
    [
        ("sample:", ("sample:", "", "", "")),
        ("mongodb://h:27017/?replicaSet=rs0", ("mongodb://h:27017/?replicaSet=rs0", "", "", "admin")),
        ("mongodb://me:p%40ss@a,b/lake", ("mongodb://a,b/", "me", "p@ss", "lake")),
        ("mongodb+srv://me:pw@h/?authSource=x&w=1", ("mongodb+srv://h/?w=1", "me", "pw", "x")),
    ],
)
def test_a_mongodb_address_is_split_as_airbyte_requires(uri: str, parts: tuple[str, ...]) -> None:
    assert split_uri(uri, "sources.x.uri") == parts


@pytest.mark.parametrize("uri", ["http://me:pw@h/", "mongodb://", "mongodb://[me:pw@h/"])
def test_an_invalid_address_is_refused_without_printing_it(uri: str) -> None:
    with pytest.raises(ConfigurationError, match=r"sources\.x\.uri is not a MongoDB address") as raised:
        split_uri(uri, "sources.x.uri")
    assert "pw" not in raised.value.message + raised.value.hint
