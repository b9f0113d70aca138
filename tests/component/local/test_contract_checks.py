"""Contracts over the wire: created from the first good version, checked before bronze and before each publish."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pyarrow as pa
import pytest

from etltctl.aws import Aws
from etltctl.drift import accept, differences
from etltctl.errors import BlockedError, UsageError
from support.lakes import SmallLake
from support.served import Served

Make = Callable[[str], SmallLake]
STREAM = "bronze.mongodb_observations"
AS_PROMISED = pa.table({"id": pa.array([1, 2], pa.int64()), "at": pa.array([0, 1], pa.timestamp("us"))})
RETYPED = pa.table({"id": pa.array([3], pa.int64()), "at": pa.array([0], pa.int64())})


@pytest.fixture
def make(server: Served, aws: Aws, tmp_path: Path) -> Make:
    """Return a function that makes a separate lake with these settings for its bronze stream."""

    def make_lake(rules: str) -> SmallLake:
        name = f"t{uuid4().hex[:10]}"
        own = f'[lake]\nbronze = "s3://pi-m3-bronze/{name}"\ngold = "s3://pi-m3-gold/{name}"\n'
        return SmallLake(
            server, aws, tmp_path, f'{own}[athena.databases]\ngold = "{name}"\n[tables."{STREAM}"]\n{rules}\n'
        )

    return make_lake


def sync(small: SmallLake, number: int, rows: pa.Table) -> str:
    location = f"{small.lake.places.fixed(STREAM)}part-{number}.parquet"
    small.put(location, rows)
    return location


def contract(small: SmallLake, table: str) -> dict[str, str]:
    document = tomllib.loads((small.folder / "state" / "contracts" / f"{table}.toml").read_text())
    return dict(document["columns"])


def test_the_first_good_files_make_the_contract_and_a_drift_is_stopped_at_the_door(make: Make) -> None:
    small = make("")
    sync(small, 0, AS_PROMISED)
    assert small.lake.contract_checks.admit(STREAM) == []
    assert contract(small, STREAM) == {"id": "bigint", "at": "timestamp"}
    odd = sync(small, 1, RETYPED)
    with pytest.raises(BlockedError, match="at retyped") as error:
        small.lake.contract_checks.admit(STREAM)
    assert error.value.exit_code == 5
    assert f"~ at timestamp → bigint  retyped, blocked: no reader of timestamp reads bigint  in {odd}" in str(
        error.value.facts["difference"]
    )
    rows, is_blocked = differences(small.settings, [STREAM])
    assert (rows[0][:6], is_blocked) == ((STREAM, "retyped", "at", "timestamp", "bigint", "blocked"), True)


def test_an_added_column_is_accepted_and_reported(make: Make) -> None:
    small = make("")
    sync(small, 0, AS_PROMISED)
    small.lake.contract_checks.admit(STREAM)
    sync(small, 1, AS_PROMISED.append_column("wind", pa.array([0.5, 1.5])))
    (change,) = small.lake.contract_checks.admit(STREAM)
    assert str(change).startswith("+ wind double  added, accepted")
    assert contract(small, STREAM)["wind"] == "double"
    assert small.lake.contract_checks.admit(STREAM) == []


def test_a_frozen_table_takes_no_change_until_the_operator_accepts_it(make: Make) -> None:
    small = make('columns = "freeze"')
    sync(small, 0, AS_PROMISED)
    small.lake.contract_checks.admit(STREAM)
    sync(small, 1, AS_PROMISED.append_column("wind", pa.array([0.5, 1.5])))
    with pytest.raises(BlockedError, match="wind added"):
        small.lake.contract_checks.admit(STREAM)
    assert [row[1:3] for row in accept(small.settings, [STREAM])] == [("added", "wind")]
    assert small.lake.contract_checks.admit(STREAM) == []


def test_files_that_break_a_contract_are_quarantined_out_of_every_reader_s_sight(make: Make) -> None:
    small = make('types = "quarantine"')
    good = sync(small, 0, AS_PROMISED)
    small.lake.contract_checks.admit(STREAM)
    odd = sync(small, 1, RETYPED)
    before = small.lake.s3.read(odd)
    (change,) = small.lake.contract_checks.admit(STREAM)
    assert "quarantined" in change
    location = small.lake.places.fixed(STREAM) or ""
    assert [file.location for file in small.lake.inspector.files(location)] == [good]
    (aside,) = small.lake.s3.objects(f"{location}_quarantine/")
    assert small.lake.s3.read(aside.location) == before
    assert small.lake.contract_checks.admit(STREAM) == []


def test_a_version_that_breaks_its_contract_is_not_published_until_it_is_accepted(make: Make) -> None:
    small = make("")
    small.publish("v1")
    bad = small.write("gold.one", "v2", [{"version": "v2", "number": 1}])
    with pytest.raises(BlockedError, match="n dropped") as error:
        small.lake.publish({"gold.one": bad})
    assert "it looks renamed to number" in str(error.value.facts["difference"])
    assert small.current("gold.one") == "v1"
    rows, is_blocked = differences(small.settings, ["gold.one"])
    assert ([row[1] for row in rows], is_blocked) == (["dropped", "added"], True)
    accept(small.settings, ["gold.one"])
    assert differences(small.settings, ["gold.one"]) == ([], False)
    assert small.lake.publish({"gold.one": bad})[0].change == "updated"


def test_an_unknown_table_is_refused(make: Make) -> None:
    with pytest.raises(UsageError, match=r"gold\.oen") as error:
        differences(make("").settings, ["gold.oen"])
    assert "gold.one" in error.value.hint
    with pytest.raises(UsageError, match=r"gold\.one: it has no Parquet file"):
        accept(make("").settings, ["gold.one"])
