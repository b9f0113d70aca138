"""The doctor's report: problems first, each with its fix. Passed checks take one line for each area."""

from __future__ import annotations

import io
import json

from etltctl.console import Console, Output

FOUND = [
    ("settings", "file", "ok", "etltctl.toml", ""),
    ("settings", "state", "ok", ".etltctl can be written to", ""),
    ("airbyte", "address", "skip", "not checked", ""),
    ("glue", "jobs", "warn", "Timeout is 2880", "set it to 45"),
    ("glue", "a subject that is longer than the others", "ok", "deployed", ""),
    ("athena", "workgroup", "fail", "there is none", "etltctl infra deploy"),
]


def report(findings: list[tuple[str, str, str, str, str]], **console: object) -> str:
    out = io.StringIO()
    Console(stdout=out, **console).findings("etltctl.doctor/1", findings)  # type: ignore[arg-type]
    return out.getvalue()


def test_problems_come_first_and_passed_checks_are_counted() -> None:
    assert report(FOUND).splitlines() == [
        "fail  athena      workgroup  there is none",
        "                  fix: etltctl infra deploy",
        "warn  glue        jobs       Timeout is 2880",
        "                  fix: set it to 45",
        "skip  airbyte     address    not checked",
        "ok    settings    2 checks",
        "ok    glue        1 check",
        "1 fail, 1 warn, 1 skip, 3 ok  (-v lists every check)",
    ]


def test_every_check_is_listed_on_request_and_for_one_area() -> None:
    assert report(FOUND, verbosity=1).count("\nok ") == 3
    one = [finding for finding in FOUND if finding[0] == "settings"]
    assert report(one).splitlines()[0] == "ok    settings    file   etltctl.toml"
    assert len(json.loads(report(FOUND, output=Output.JSON))["rows"]) == len(FOUND)
