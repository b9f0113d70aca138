"""Values in environment variables: those of TOML and no others, and an error that says how to write what is meant."""

from __future__ import annotations

import pytest

from etltctl.errors import ConfigurationError
from etltctl.settings import load_settings


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("ETLTCTL__PROTECTED", "1", "protected must be true or false, got 1: write true"),
        ("ETLTCTL__PROTECTED", "No", "protected must be true or false, got 'No': write false"),
        ("ETLTCTL__LOCAL__WITNESS", "off", "local.witness must be true or false, got 'off': write false"),
        ("ETLTCTL__AIRFLOW__DEFERRABLE", "0", "airflow.deferrable must be true or false, got 0: write false"),
        (
            "ETLTCTL__ATHENA__WORKGROUP",
            "7",
            "athena.workgroup must be text, got 7: write it in quotes, '\"7\"'",
        ),
    ],
)
def test_another_spelling_is_refused_with_the_one_to_write(variable: str, value: str, says: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load_settings(env="local", environ={variable: value})
    assert f"env {variable}: {says}" in refused.value.problems


def test_a_word_that_may_mean_either_gets_no_proposal() -> None:
    with pytest.raises(ConfigurationError) as refused:
        load_settings(env="local", environ={"ETLTCTL__PROTECTED": "maybe"})
    assert refused.value.problems == ("env ETLTCTL__PROTECTED: protected must be true or false, got 'maybe'",)


@pytest.mark.parametrize(("value", "meant"), [("true", True), ("True", True), ("false", False)])
def test_true_and_false_are_read(value: str, meant: bool) -> None:
    assert load_settings(env="local", environ={"ETLTCTL__PROTECTED": value}).protected is meant


def test_a_quoted_number_is_text() -> None:
    settings = load_settings(env="local", environ={"ETLTCTL__ATHENA__WORKGROUP": '"7"'})
    assert settings.athena.workgroup == "7"
