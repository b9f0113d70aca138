"""Weather made from new files and the version before: what is read and written again, and when everything is."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from hadoop_files import write_text
from support.weather_files import write_file
from support.weather_lake import REJECTS, SILVER, WeatherLake
from support.weather_rows import HOUR, NOON, document

pytestmark = pytest.mark.spark

CONFIG = {"max_reject_share": 1.0, "min_hours_per_day": 1}
YEAR = 366 * 24 * HOUR
NEWARK, RIOHACHA, CALAFATE = "Newark Liberty Intl", "Riohacha", "El Calafate"
DAY_IN_NEWARK = {"city_name": NEWARK, "dt_iso": None, "_id": None}


class Lakes:
    """A lake that builds each version on the one before, and one that makes each from everything."""

    def __init__(self, spark: SparkSession, folder: Path) -> None:
        self.bronze = folder / "bronze"
        self.built, self.whole = (
            WeatherLake(spark, folder / "built", CONFIG),
            WeatherLake(spark, folder / "whole", CONFIG),
        )
        self.files: list[str] = []
        self.version = -1

    def sync(
        self, *documents: dict[str, Any], name: str = "", generation: int = 1, extracted: int | None = None
    ) -> None:
        self.version += 1
        if documents:
            sync = self.version if extracted is None else extracted
            path = self.bronze / f"{name or f'2026_01_0{self.version}_{self.version}_0'}.parquet"
            self.files = [*self.files, write_file(path, documents, generation=generation, sync=sync)]
        base = str(self.version - 1) if self.version else None
        self.built.make_silver(str(self.version), self.files, base)

    def make_gold(self) -> None:
        self.built.make_gold(str(self.version), str(self.version - 1) if self.version else None)

    def require_equal(self, *tables: str) -> None:
        version = str(self.version)
        self.whole.make_silver(version, self.files)
        for table in tables:
            assert self.built.counts(table, version) == self.whole.counts(table, version), table
            assert self.built.rows(table, version) == self.whole.rows(table, version), table

    @property
    def replaced(self) -> list[str] | None:
        return self.built.report(SILVER, str(self.version)).get("replaces")


@pytest.fixture
def lakes(spark: SparkSession, tmp_path: Path) -> Lakes:
    return Lakes(spark, tmp_path)


def test_only_what_new_documents_belong_to_is_read_and_written(lakes: Lakes) -> None:
    same = {**DAY_IN_NEWARK, "dt": NOON}
    lakes.sync(
        document(**same), document(**same, main={"temp": 3}), document(city_name=RIOHACHA), document(city_name=CALAFATE)
    )  # fmt: skip
    # The new file's name comes first and its documents are as old: the merged row's last document stays.
    lakes.sync(
        document(**same, main={"temp": 4}), document(city_name=RIOHACHA, dt=NOON + YEAR, dt_iso=None),
        document(city_name="La Guardia"), document(dt=None),
        name="2025_01_01_0_0", extracted=0,
    )  # fmt: skip
    newark, merged = "city_key=newark_liberty_intl/year=2024", {"rows_out": 5, "merged": 2, "rejected": 1}
    assert lakes.replaced == ["city_key=la_guardia/year=2024", newark, "city_key=riohacha/year=2025"]
    assert lakes.built.report(SILVER, "1").items() >= merged.items()
    lakes.require_equal(SILVER, REJECTS)
    # The merged row's last document is of the first file, another one of the second: both are read again.
    lakes.sync(document(**same, main={"temp": 5}), extracted=0)
    assert lakes.replaced == [newark]
    lakes.require_equal(SILVER, REJECTS)


def test_nothing_is_written_without_accepted_documents(lakes: Lakes) -> None:
    from silver_to_gold import TABLES

    lakes.sync(document(), document(city_name=RIOHACHA, dt=NOON + HOUR, dt_iso=None))
    lakes.make_gold()
    lakes.sync(document(dt=None), document(dt=-1))
    assert lakes.replaced == []
    assert lakes.built.files(SILVER, "1") == lakes.built.files(SILVER, "0")
    lakes.require_equal(SILVER, REJECTS)
    lakes.make_gold()
    assert all(lakes.built.report(table, "1")["replaces"] == [] for table in TABLES)
    for table in TABLES:
        assert lakes.built.counts(table, "1") == lakes.built.counts(table, "0")
        assert lakes.built.rows(table, "1") == lakes.built.rows(table, "0")
    lakes.sync()  # no new file at all
    assert (lakes.replaced, lakes.built.report(REJECTS, "2")) == (
        [],
        {"table": REJECTS, "rows_out": 2, "replaces": []},
    )
    assert lakes.built.counts(SILVER, "2") == lakes.built.counts(SILVER, "1")
    assert lakes.built.rows(REJECTS, "2") == lakes.built.rows(REJECTS, "1")


def _new_generation(lakes: Lakes) -> None:
    lakes.sync(document(main={"temp": 9}), generation=2)


def _future_that_has_come(lakes: Lakes) -> None:
    state = lakes.built.state(SILVER, "0")
    state["documents"]["first_future"] = NOON
    write_text(
        lakes.built.spark, str(lakes.built.state_folder(SILVER, "0") / "state.json"), json.dumps(state)
    )
    lakes.sync(document(dt=NOON + HOUR, dt_iso=None))


@pytest.mark.parametrize(
    ("sync", "reason"),
    [
        (_new_generation, "of generation 2, the old ones of 1"),
        (_future_that_has_come, "in the future is accepted now"),
    ],
)
def test_everything_is_read_where_old_rows_may_be_others(
    lakes: Lakes, sync: Callable[[Lakes], None], reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    lakes.sync(document(), document(city_name=RIOHACHA))
    sync(lakes)
    assert lakes.replaced is None
    (message,) = caplog.messages
    assert message.startswith("bronze_to_silver reads everything: ")
    assert reason in message
    assert f"bronze_to_silver reads everything: {lakes.built.report(SILVER, '1')['everything']}" == message
    lakes.require_equal(SILVER, REJECTS)


def test_gold_reports_why_it_was_made_of_everything(lakes: Lakes) -> None:
    from silver_to_gold import TABLES

    lakes.sync(document())
    lakes.make_gold()
    lakes.sync(document(main={"temp": 9}))
    lakes.make_gold()
    reports = [lakes.built.report(table, "1") for table in TABLES]
    assert {report["everything"] for report in reports} == {"every place has changed"}
    assert all("everything" not in lakes.built.report(table, "0") for table in TABLES)


def test_gold_is_made_of_everything_if_no_other_place_is_kept(spark: SparkSession, tmp_path: Path) -> None:
    from changes import Changes, FullRunNeeded
    from weather_places import changed_places, write_counts

    state = {"gold.weather_daily": str(tmp_path)}
    write_counts(spark, Changes(states=state), {"gold.weather_daily": {"here": [2, 1], "there": [3, 1]}})

    def changed(*folders: str, **more: Any) -> Any:
        changes = Changes(
            **{
                "base": {"gold.weather_daily": "x"},
                "reports": {"gold.weather_daily": {"rows_out": 2}},
                "base_states": state,
                "touched": {SILVER: folders},
                **more,
            }
        )
        return changed_places(spark, changes, SILVER, ["gold.weather_daily"])

    of_here = changed("city_key=here/year=2023", "city_key=here/year=2024")
    assert of_here.places == {"here"}
    assert of_here.counts_of_others("gold.weather_daily") == {"there": [3, 1]}
    with pytest.raises(FullRunNeeded, match="every place has changed"):
        changed("city_key=here/year=2023", "city_key=there/year=2024")
    with pytest.raises(FullRunNeeded, match=r"silver\.weather_observation is not partitioned by city_key"):
        changed("year=2024")
    for lacking in ({"base": {}}, {"touched": {}}):
        with pytest.raises(FullRunNeeded, match="no version to build on"):
            changed("city_key=here/year=2023", **lacking)
    with pytest.raises(
        FullRunNeeded, match=r"there is no report on the earlier version of gold\.weather_daily"
    ):
        changed(reports={})


def test_checks_are_of_all_documents(spark: SparkSession, tmp_path: Path) -> None:
    """A share of rejections that the new documents alone would exceed is of all; a place may lose no row."""
    from lake import QualityError

    good = [document(dt=NOON + hour * HOUR, dt_iso=None) for hour in range(9)]
    lake = WeatherLake(spark, tmp_path / "lake", {"max_reject_share": 0.1})
    first = write_file(tmp_path / "bronze" / "a.parquet", good)
    lake.make_silver("0", [first])
    second = write_file(tmp_path / "bronze" / "b.parquet", [document(dt=None)])
    lake.make_silver("1", [first, second], "0")
    third = write_file(tmp_path / "bronze" / "c.parquet", [document(dt=-1)])
    with pytest.raises(QualityError, match=r"2 of 11 documents rejected.*DT_MISSING 2 times"):
        lake.make_silver("2", [first, second, third], "1")
    strange = write_file(tmp_path / "bronze" / "d.parquet", [document(city_name=RIOHACHA, dt=None)])
    lake.config["max_reject_share"] = 0.5
    with pytest.raises(QualityError, match="rejected of: riohacha"):
        lake.make_silver("3", [first, second, strange], "1")


def _files(names: Sequence[str]) -> list[str]:
    return [f"s3://bronze/weather/{name}" for name in names]


def test_old_files_are_found_by_their_name_as_part_of_a_url() -> None:
    from changes import FullRunNeeded
    from weather_state import locations_of

    files = _files(["a b.parquet", "c.parquet"])
    assert locations_of(["a%20b.parquet"], files) == files[:1]
    with pytest.raises(FullRunNeeded, match=r"d\.parquet, which holds documents"):
        locations_of(["d.parquet"], files)
    with pytest.raises(FullRunNeeded, match=r"c\.parquet"):
        locations_of(["c.parquet"], [*files, "s3://bronze/other/c.parquet"])


def test_companions_are_joined() -> None:
    from weather_state import companions_of, joined

    first, second = companions_of("b/a\nc/a/b"), companions_of("b/d")
    assert joined(first, second) == {"b": ("a", "d"), "c": ("a", "b")}
