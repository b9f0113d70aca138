"""What the line of an incremental job says of its inputs: how much was new, or why everything was read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from etltctl.pipeline.recorded_inputs import inputs_text
from etltctl.publishing import VersionInputs

FILES = {"bronze.a": ["s3://b/1", "s3://b/2"]}
BASE = {"silver.a": "s3://s/a/v=r1/"}


@pytest.mark.parametrize(
    ("inputs", "text"),
    [
        (VersionInputs(files=FILES, why="its code changed"), " · read everything: its code changed"),
        (VersionInputs(files=FILES, base=BASE, new={"bronze.a": ["s3://b/2"]}), " · 1 of 2 files new"),
        (VersionInputs(files=FILES, base=BASE), " · 0 of 2 files new"),
        (VersionInputs(base=BASE, touched={"silver.a": ["x=1", "x=2"]}), " · 2 changed partitions"),
        (VersionInputs(base=BASE, touched={"silver.a": ["x=1"]}), " · 1 changed partition"),
        (VersionInputs(base=BASE, touched={"silver.a": []}), " · nothing new"),
    ],
)
def test_the_line_says_how_much_was_read(inputs: VersionInputs, text: str) -> None:
    assert inputs_text(inputs.facts()) == text


def test_a_job_that_is_not_incremental_says_nothing() -> None:
    facts: dict[str, Any] = {}
    assert inputs_text(facts) == ""


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"{}", b'{"format": "etltctl.inputs/2"}', b'{"format": "etltctl.inputs/1", "x": 1}']
)
def test_a_record_of_another_format_is_none(text: bytes) -> None:
    assert VersionInputs.parse(text) is None


@pytest.mark.parametrize(
    "damage",
    [
        {"why": None}, {"made_by": []}, {"seen": {"bronze.a": None}}, {"seen": {"bronze.a": {"1": 7}}},
        {"versions": {"silver.a": 7}}, {"base": {"silver.a": None}}, {"reports": {"silver.a": []}},
        {"files": {"bronze.a": "s3://b/1"}}, {"new": {"bronze.a": [1]}}, {"touched": None},
    ],
)  # fmt: skip
def test_a_damaged_record_is_none(damage: dict[str, Any]) -> None:
    record = json.loads(VersionInputs(files=FILES, base=BASE).as_json()) | damage
    assert VersionInputs.parse(json.dumps(record).encode()) is None


def test_a_record_is_read_as_it_was_written() -> None:
    inputs = VersionInputs(files=FILES, base=BASE, made_by={"code": {"a.py": "1"}}, why="")
    assert VersionInputs.parse(inputs.as_json()) == inputs
