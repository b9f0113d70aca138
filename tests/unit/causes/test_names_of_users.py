"""A name that a user gave to a thing is never taken for a cause, whatever it says."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from etltctl.causes import UNKNOWN, Failure, Line, catalogue, diagnose
from etltctl.causes.masked_words import masked

# What names a cause to a person, as the name of a column, a key or a table.
NAMES = sorted({
    text.translate(str.maketrans("", "", "'\"`[]")) for cause in catalogue().values() for text in cause.searched
})  # fmt: skip


# The message of a ValueError that PySpark itself raises.
OF_PYSPARK = {"Some of types cannot be determined after inferring"}


def others(reason: str, service: str, code: str, names: Iterable[str] = NAMES) -> dict[str, str]:
    """Return the causes other than `code` that names lead to, each in the place of NAME in a reason."""
    causes = {
        name: diagnose(Failure((Line(reason.replace("NAME", name)),), service, "FAILED")).cause.code
        for name in names
    }
    return {name: cause for name, cause in causes.items() if cause != code}


def test_a_column_or_a_table_that_is_called_like_a_cause_is_not_found() -> None:
    column = "COLUMN_NOT_FOUND: line 1:8: Column 'NAME' cannot be resolved"
    assert others(column, "Athena", "Q102") == {}
    assert others("TABLE_NOT_FOUND: line 1:15: Table 'lake.NAME' does not exist", "Athena", "Q101") == {}
    assert others('TYPE_MISMATCH: line 1:8: Cannot apply operator to "NAME"', "Athena", "Q103") == {}


def test_a_key_of_a_script_that_reads_like_a_cause_is_a_mistake_in_the_script() -> None:
    assert others("KeyError: 'NAME'", "Glue", "G143") == {}
    assert others("NameError: name 'NAME' is not defined", "Glue", "G143") == {}


def test_the_message_of_a_scripts_own_error_names_no_cause() -> None:
    names = set(NAMES) - OF_PYSPARK
    assert others("ValueError: NAME", "Glue", "G143", names) == {}
    assert others("AssertionError: expected no NAME in the table", "Glue", "G143") == {}


@pytest.mark.parametrize("name", ["Exception", "RuntimeError"])
def test_a_class_for_anything_names_a_cause_only_if_it_speaks_of_a_system(name: str) -> None:
    own = f"{name}: skewed partition of hub 4, 3 rows violate a rule, over the budget, rate limit exceeded"
    assert others(own, "Glue", "G143", [""]) == {}
    assert others(f"{name}: s3://x: Access Denied", "Glue", "E202", [""]) == {}


def test_what_only_etltctl_finds_is_no_cause_of_a_remote_run() -> None:
    text = "14 rows violate a rule, the work is over the budget, and the embedded server ended"
    for service in ("Glue", "Athena"):
        assert others(text, service, UNKNOWN.code, [""]) == {}
    assert others(text, "", "C110", [""]) == {}
    assert others("the embedded server ended while Glue ran spark", "", "M109", [""]) == {}
    assert others("Traceback:\n  KeyError: 1\nHubError: over the budget", "", "G143", [""]) == {}


def test_a_failure_that_only_names_a_thing_is_unknown() -> None:
    for service in ("Glue", "Airbyte", "Athena"):
        assert others("the turbine of column `NAME` came loose", service, UNKNOWN.code) == {}


@pytest.mark.parametrize(
    ("text", "blanked"),
    [
        ("Column 'time limit' cannot be resolved", "Column 'xxxxxxxxxx' cannot be resolved"),
        ("Table silver.bad_data is empty", "Table xxxxxx.xxxxxxxx is empty"),
        ("read s3://lake/bad_data/part.parquet", "read s3://xxxx/xxxxxxxx/xxxx.parquet"),
        ("given input columns: [max_usd, id]", "given input columns: [xxxxxxx, xx]"),
        ("Denied. Check your bucket policy.", "Denied. xxxxx xxxx xxxxxx xxxxxx."),
    ],
)
def test_names_and_hints_are_blanked(text: str, blanked: str) -> None:
    assert masked(text) == blanked


@pytest.mark.parametrize(
    "text",
    [
        "error 18 (AuthenticationFailed): 'Authentication failed.' on server",
        'failed: {"internalMessage" : "heartbeat_timeout"}',
        "ConnectionError: ('Connection aborted.', error(111, 'Connection refused'))",
        "message='activity Heartbeat timeout', timeoutType=X",
        "Can't read: the connector doesn't answer",
        "AnalysisException: 'No such struct field pit stop in laps'",
        "Table not found",
    ],
)
def test_a_message_in_quotes_is_no_name(text: str) -> None:
    assert masked(text) == text


def test_a_blanked_text_keeps_its_length() -> None:
    for name in NAMES:
        text = f"column `{name}` of s3://x/{name} and table: {name}"
        assert len(masked(text)) == len(text)
