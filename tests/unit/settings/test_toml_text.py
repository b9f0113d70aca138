"""Values that are written as TOML: each reads back as it was."""

from __future__ import annotations

import math
import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etltctl.connections import as_toml
from etltctl.contracts import Contract, ContractBook
from etltctl.settings.toml_tables import toml_comment, toml_key, toml_text

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
NUMBERS = st.integers(-(10**40), 10**40) | st.floats(allow_nan=False)
VALUES = st.recursive(
    TEXTS | NUMBERS | st.booleans(),
    lambda each: st.lists(each, max_size=4) | st.dictionaries(TEXTS, each, max_size=4),
    max_leaves=12,
)
ODD = ["😀", "\x7f", "\x00", "a\nb", "a\r\nb", '"""', "\\", "\u2028", "\x85", "'", "", "a.b", "# no comment"]


def read_back(value: Any, key: str = "value") -> Any:
    return tomllib.loads(f"{toml_key(key)} = {toml_text(value)}\n")[key]


@given(VALUES, TEXTS)
def test_a_value_reads_back_as_it_was(value: Any, key: str) -> None:
    assert read_back(value, key) == value
    assert type(read_back(value, key)) is type(value)


@pytest.mark.parametrize("text", ODD)
def test_an_odd_text_reads_back_as_a_value_and_as_a_key(text: str) -> None:
    assert read_back({text: [text]}, text) == {text: [text]}
    assert "\n" not in toml_text(text)


def test_numbers_that_json_does_not_know_are_toml() -> None:
    assert [toml_text(number) for number in (math.inf, -math.inf)] == ["inf", "-inf"]
    assert math.isnan(read_back(math.nan))


def test_u007f_is_escaped_because_toml_forbids_it() -> None:
    assert toml_text("a\x7f") == '"a\\u007f"'


def test_a_surrogate_that_stands_alone_becomes_a_question_mark() -> None:
    assert read_back("a\ud83d") == "a?"


def test_toml_has_no_null() -> None:
    with pytest.raises(TypeError, match="NoneType"):
        toml_text({"a": [None]})


@given(st.text())
def test_a_comment_is_one_line_and_sets_nothing(text: str) -> None:
    assert tomllib.loads(f"{toml_comment(text)}\na = 1\n") == {"a": 1}


@pytest.mark.parametrize("text", ODD)
def test_an_export_with_odd_names_is_toml(text: str) -> None:
    exported = {
        "sources": {"a": {"kind": "airbyte", "streams": [text]}},
        "left_out": {f"{text}\n[sources.b]": f"its type is {text}"},
    }
    assert tomllib.loads(as_toml(exported)) == {"sources": exported["sources"]}


@pytest.mark.parametrize("text", ODD)
def test_a_contract_with_an_odd_column_reads_back(tmp_path: Any, text: str) -> None:
    book = ContractBook(tmp_path)
    contract = Contract("gold.t", {text: "string"}, text, comments={text: text})
    assert book.keep(contract)
    kept = book.find("gold.t")
    assert kept is not None
    assert (kept.columns, kept.version) == (contract.columns, text)
