"""The audit: a version that breaks a rule is never seen, and the rule and its rows are named."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import uuid4

import pytest

from etltctl.aws import Aws
from etltctl.catalog import STAGING
from etltctl.errors import BlockedError, ExitCode, UnverifiedError
from etltctl.pipeline.model import table_facts
from etltctl.publishing import Violation
from support.lakes import SmallLake
from support.served import Served, wait_until

Make = Callable[[str], SmallLake]
GOOD = [{"city": "a", "day": 1, "speed": 3.0}, {"city": "a", "day": 2, "speed": None}]


@pytest.fixture
def make(server: Served, aws: Aws, tmp_path: Path) -> Iterator[Make]:
    """Return a function that makes a separate lake with these rules for gold.one."""

    def make_lake(rules: str) -> SmallLake:
        name = f"t{uuid4().hex[:10]}"
        own = f'[lake]\ngold = "s3://pi-m3-gold/{name}"\n[athena.databases]\ngold = "{name}"\n'
        return SmallLake(server, aws, tmp_path, f'{own}[tables."gold.one"]\n{rules}\n')

    return make_lake


def refused(small: SmallLake, rows: list[dict[str, Any]], **audit: Any) -> BlockedError:
    """Publish a good version, then a bad one; return the error of the bad one."""
    small.lake.publish({"gold.one": small.write("gold.one", "good", GOOD)})
    with pytest.raises(BlockedError) as error:
        small.lake.publish({"gold.one": small.write("gold.one", "bad", rows, **audit)})
    assert small.current("gold.one") == "good"
    assert staging(small) == []
    assert error.value.exit_code == ExitCode.BLOCKED
    return error.value


def staging(small: SmallLake) -> list[str]:
    """Return the staging tables of versions under audit."""
    tables = small.lake.catalog.tables(small.settings.athena.databases["gold"])
    return [table["Name"] for table in tables if table["Name"].startswith(STAGING)]


@pytest.mark.parametrize(
    ("rules", "bad", "rule", "example"),
    [
        ('keys = ["city", "day"]', {"city": "a", "day": 1, "speed": 9.0}, "city, day not unique", '"times": 2'),
        ('keys = ["city", "day"]', {"city": None, "day": 1, "speed": 9.0}, "city is null", '"city": null'),
        ('not_null = ["day"]', {"city": "x", "day": None, "speed": 9.0}, "day is null", '"city": "x"'),
        ("ranges = { speed = { max = 75.5 } }", {"city": "x", "day": 3, "speed": 80.0}, "speed > 75.5", "80.0"),
        ("ranges = { speed = { min = 0 } }", {"city": "x", "day": 3, "speed": -1.0}, "speed < 0", '"speed": -1.0'),
        ('sql.odd = "select * from {this} where day > 7"', {"city": "x", "day": 8, "speed": 1.0}, "odd", '"day": 8'),
        (
            'sql.dear = "select cast(speed as decimal(9,2)) as price from {this} where speed > 90"',
            {"city": "x", "day": 8, "speed": 100.5}, "dear", '"price": "100.50"',
        ),
    ],
)  # fmt: skip
def test_a_broken_rule_stops_the_version_and_shows_its_rows(
    make: Make, rules: str, bad: dict[str, Any], rule: str, example: str
) -> None:
    small = make(rules)
    with pytest.raises(BlockedError) as blocked:
        small.lake.publish({"gold.one": small.write("gold.one", "bad", [*GOOD, bad])})
    error = blocked.value
    assert small.described("gold.one") == {}
    assert rule in error.message
    assert example in "\n".join(map(str, error.facts.values()))


def test_counts_are_checked_without_a_query(make: Make) -> None:
    small = make("min_rows = 1\nmax_drop_pct = 10")
    assert "50 % less than the 2 of the current version" in refused(small, GOOD[:1]).message
    assert "fewer than min_rows" in refused(make("min_rows = 2"), GOOD[:1]).message
    conserved = make("conserve_rows = true")
    small = conserved
    good = {"rows_in": 3, "rows_out": 2, "merged": 1, "rejected": 0}
    small.lake.publish({"gold.one": small.write("gold.one", "v1", GOOD, **good)})
    with pytest.raises(BlockedError, match="rows in 4, but out, merged and rejected are 3"):
        small.lake.publish({"gold.one": small.write("gold.one", "v2", GOOD, **good | {"rows_in": 4})})
    with pytest.raises(UnverifiedError):
        small.lake.publish({"gold.one": small.write("gold.one", "v3", GOOD, rows_out=9)})


def test_a_reconciliation_sees_the_new_versions_of_a_set_together(make: Make) -> None:
    rules = (
        'sql = { agree = "select a.n from {this} a left join {gold.two} b on a.n = b.n where b.n is null" }'
    )
    small = make(rules)
    small.publish("v1")
    small.publish("v2", rows=5)  # gold.two has the five rows too, in a version that no reader sees yet
    one = small.write("gold.one", "v3", [{"version": "v3", "n": n} for n in range(9)])
    with pytest.raises(BlockedError, match=r"agree \(4\)"):
        small.lake.publish({"gold.one": one})


def test_broken_rules_that_only_warn_are_reported_and_the_version_is_published(make: Make) -> None:
    small = make('rows = "evolve"\nmin_rows = 1\nnot_null = ["speed"]')
    violations: list[Violation] = []
    lake = replace(small.lake, on_violation=violations.append)
    (done,) = lake.publish({"gold.one": small.write("gold.one", "v1", GOOD)})
    assert list(done.warnings) == ["gold.one: speed is null (1)"]
    assert [violation.name for violation in violations] == ["speed is null"]
    # On record with the publish, since the settings may have other rules by the time that someone asks.
    assert list(done.rules) == ["min_rows", "speed is null"]
    facts = table_facts([done])["tables"]["gold.one"]
    assert (facts["version"], facts["rules"]) == ("v1", ["min_rows", "speed is null"])


def test_a_check_that_cannot_run_publishes_nothing_and_says_why(make: Make) -> None:
    small = make('not_null = ["wind"]')
    with pytest.raises(BlockedError) as blocked:
        small.lake.publish({"gold.one": small.write("gold.one", "v1", GOOD)})
    error = blocked.value
    assert small.described("gold.one") == {}
    assert "checks of gold.one cannot be run" in error.message
    assert "wind" in error.message
    assert '[tables."gold.one"]' in error.hint


def test_an_audit_without_findings_takes_one_query_a_table(make: Make) -> None:
    small = make('keys = ["city", "day"]\nnot_null = ["city"]\nranges = { speed = { min = 0 } }')
    athena = small.aws.client("athena")
    calls: list[str] = []
    athena.meta.events.register("before-call.athena", lambda model, **_: calls.append(model.name))
    small.lake.publish({"gold.one": small.write("gold.one", "v1", GOOD)})
    assert calls.count("StartQueryExecution") == 1


@pytest.mark.parametrize(
    ("call", "hold"), [("GetQueryExecution", "before"), ("StartQueryExecution", "after")]
)
def test_an_interrupt_cancels_live_queries_and_does_not_wait(
    make: Make, monkeypatch: pytest.MonkeyPatch, call: str, hold: str
) -> None:
    keys = 'keys = ["city", "day"]'
    small = make(f'{keys}\n[tables."gold.two"]\n{keys}')
    versions = {table: small.write(table, "v1", GOOD) for table in ("gold.one", "gold.two")}
    stopped: list[str] = []
    events = small.aws.client("athena").meta.events
    events.register(
        "before-call.athena.StopQueryExecution", lambda params, **_: stopped.append(params["body"])
    )
    small.spoil({"call": call, "hold": hold, "times": 0})
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        Thread(target=interrupt_once, args=(lambda: small.met() == 2,), daemon=True).start()
        began = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            small.lake.publish(versions)
        assert time.monotonic() - began < 30
    finally:
        signal.signal(signal.SIGINT, before)
    assert small.described("gold.one") == {}
    assert staging(small) == []
    small.spoil()  # held calls continue; a start whose answer comes only now is cancelled as well
    wait_until(lambda: len(set(stopped)) == 2)


def interrupt_once(is_time: Callable[[], bool]) -> None:
    wait_until(is_time, 60)
    os.kill(os.getpid(), signal.SIGINT)


def test_a_retry_queries_again_after_a_table_of_a_rule_has_changed(make: Make) -> None:
    place = f"s3://pi-m3-bronze/t{uuid4().hex[:10]}/"
    rules = (
        'sql.two = "select n from {this} where n not in (select n from {gold.two})"\n'
        'sql.days = "select n from {this} where n not in (select n from {bronze.days})"\n'
        f'[tables."bronze.days"]\nlocation = "{place}"'
    )
    small = make(rules)
    one = small.write("gold.one", "v1", [{"n": 0}, {"n": 1}])
    small.lake.publish({"gold.two": small.write("gold.two", "v1", [{"n": 0}])})
    small.put(f"{place}part-0.parquet", [{"n": 0}])
    small.lake.refresh(["bronze.days"])
    lake = replace(small.lake, run_key="retried")
    with pytest.raises(BlockedError, match=r"two \(1\), and 1 more"):
        lake.publish({"gold.one": one})
    small.lake.publish({"gold.two": small.write("gold.two", "v2", [{"n": 0}, {"n": 1}])})
    with pytest.raises(BlockedError, match=r"days \(1\)$"):
        lake.publish({"gold.one": one})
    small.put(f"{place}part-1.parquet", [{"n": 1}])
    lake.publish({"gold.one": one})
    assert small.current("gold.one") == "v1"


def test_every_broken_rule_is_reported_with_some_of_its_rows(make: Make) -> None:
    small = make('rows = "evolve"\nnot_null = ["speed"]\nmin_rows = 9')
    violations: list[Violation] = []
    lake = replace(small.lake, on_violation=violations.append)
    with pytest.raises(BlockedError):
        lake.publish({"gold.one": small.write("gold.one", "v1", [*GOOD, *GOOD])})
    assert [(violation.rule, violation.count, violation.reaction) for violation in violations] == [
        ("4 rows, fewer than min_rows = 9", 0, "freeze"),
        ("speed is null", 2, "evolve"),
    ]
    assert [row["day"] for row in violations[1].rows] == [2, 2]


def test_a_later_audit_deletes_the_tables_of_one_that_died(make: Make) -> None:
    small = make("min_rows = 1")
    small.publish("v1")
    catalog, database = small.lake.catalog, small.settings.athena.databases["gold"]
    staged = small.lake._stage("gold.one", small.write("gold.one", "v2", [{"version": "v2", "n": 1}]))
    catalog.stage(replace(staged.table, name=f"{STAGING}one_x"))
    now = datetime.now(UTC)
    catalog.unstage_older(database, now - timedelta(days=1))
    assert f"{STAGING}one_x" in {table["Name"] for table in catalog.tables(database)}
    catalog.unstage_older(database, now + timedelta(hours=1))
    assert {table["Name"] for table in catalog.tables(database)} == {"one", "two"}
    with pytest.raises(ValueError, match="is not a table that stands for a version"):
        catalog.unstage(database, "one")
