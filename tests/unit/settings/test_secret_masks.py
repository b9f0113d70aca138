"""Secrets get stars by their value and by their shape, and other words stay as they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from etltctl.settings import load_settings
from etltctl.settings.secrets import known_secrets, without_secrets


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgres://etl:s3cr3t@db:5432/shop refused", "postgres://***@db:5432/shop refused"),
        ("mongodb+srv://etl:p@ss@db/shop", "mongodb+srv://***@db/shop"),
        ("key AKIAIOSFODNN7EXAMPLE is not valid", "key *** is not valid"),
        ("ASIAIOSFODNN7EXAMPLE", "***"),
        ("aws_secret_access_key=wJalr/XUtn+FEMI other", "aws_secret_access_key=*** other"),
        ('{"password": "two words", "user": "x"}', '{"password": "***", "user": "x"}'),
        ("{'token': 'abc'}", "{'token': '***'}"),
        ("jdbc:pg://db/x?user=etl&password=pw1&ssl=on", "jdbc:pg://db/x?user=etl&password=***&ssl=on"),
        ("token=abc.def; rest", "token=***; rest"),
        ("password: hunter2", "password: ***"),
        ("--db-password hunter2 --rows 5", "--db-password *** --rows 5"),
        ("Authorization: Bearer abc", "Authorization: Bearer ***"),
        ("sent bearer eyJhbGciOi.J9", "sent bearer ***"),
    ],
)
def test_what_has_the_shape_of_a_credential_is_hidden(text: str, shown: str) -> None:
    assert without_secrets(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "http://127.0.0.1:4566/lake/a@b is empty",
        "s3://lake/gold/x=1/part.parquet",
        "no viable alternative at token: SELECT",
        "Bearer authentication is off",
        "sources.shop.uri is env:SHOP_URI, but SHOP_URI is not set",
    ],
)
def test_other_words_stay_as_they_are(text: str) -> None:
    assert without_secrets(text) == text


def test_known_values_are_hidden_also_as_a_part_of_a_text(tmp_path: Path) -> None:
    (tmp_path / "etltctl.toml").write_text(
        '[airbyte]\nclient_id = "ab"\nclient_secret = "env:CLIENT"\n'
        '[sources.shop]\nkind = "mongodb"\nuri = "env:SHOP"\ndatabase = "d"\ncollections = ["c"]\n'
    )
    environ = {"CLIENT": "long-client-value", "SHOP": "postgres://etl:pa%20ss@db/shop"}
    settings = load_settings(config=tmp_path / "etltctl.toml", environ=environ)
    secrets = known_secrets(settings, environ)
    assert set(secrets) == {"long-client-value", "postgres://etl:pa%20ss@db/shop", "pa%20ss", "pa ss"}
    assert without_secrets("the driver sent <pa ss> with long-client-value", secrets) == (
        "the driver sent <***> with ***"
    )
    assert known_secrets(settings, {}) == ()
