"""Hyper extracts: Tableau's own engine reads from them what Athena answers, and no file is half written."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from etltctl.errors import BlockedError, ConfigurationError, RunFailedError, UnverifiedError, UsageError
from etltctl.extracting import Selection, write_table
from etltctl.pipeline import RunOptions, run_pipeline
from etltctl.querying import run_query
from etltctl.runs import QueryExecution, Run, Verb
from etltctl.settings import load_settings
from etltctl.tableau import hyper_types, write_extract
from support.extract_lake import ROWS, Lake
from support.sample_settings import on_sample
from support.tableau_site import Site, served

needs_hyper = [
    pytest.mark.hyper,
    pytest.mark.skipif(
        importlib.util.find_spec("tableauhyperapi") is None,
        reason="Tableau's engine is not installed: run `make tableau-test`",
    ),
]


@contextmanager
def opened(file: Path, folder: Path) -> Iterator[Any]:
    from tableauhyperapi import Connection, HyperProcess, Telemetry

    telemetry = Telemetry.DO_NOT_SEND_USAGE_DATA_TO_TABLEAU
    with (
        HyperProcess(telemetry, parameters={"log_dir": str(folder)}) as hyper,
        Connection(hyper.endpoint, str(file)) as connection,
    ):
        yield connection


def rows_of(file: Path, folder: Path, order: str) -> list[tuple[Any, ...]]:
    with opened(file, folder) as connection:
        extract_rows = connection.execute_list_query(
            f'SELECT * FROM "Extract"."Extract" ORDER BY {order} NULLS FIRST'
        )
    return [tuple(map(plain, row)) for row in extract_rows]


def plain(value: Any) -> Any:
    if hasattr(value, "to_datetime"):
        return value.to_datetime()
    return value.to_date() if hasattr(value, "to_date") else value


def answer(lake: Lake, sql: str) -> list[tuple[Any, ...]]:
    """Return Athena's rows, with dates and times as text, because they are compared as values."""
    result = run_query(sql, lake.settings, database="pi_m3_gold")
    kinds = {"date": date.fromisoformat, "timestamp": datetime.fromisoformat}
    return [
        tuple(
            kinds[column.type](value) if value is not None and column.type in kinds else value
            for value, column in zip(row, result.columns, strict=True)
        )
        for row in result.rows()
    ]


class TestWithTableausEngine:
    pytestmark = needs_hyper

    def test_an_extract_equals_the_answer_of_athena(self, lake: Lake, tmp_path: Path) -> None:
        extract = write_table(Selection("gold.days"), tmp_path / "days.hyper", lake.settings)
        assert (extract.rows, extract.version) == (ROWS, "1")
        stored_rows = rows_of(extract.file, tmp_path, '"small", "speed"')
        expected = answer(lake, "SELECT * FROM days ORDER BY small, speed")
        assert len(stored_rows) == ROWS
        assert stored_rows == expected
        assert (stored_rows[1][4], stored_rows[1][5].isoformat()) == (
            date(2024, 1, 17),
            "2024-01-01T04:40:00",
        )

    def test_the_rows_are_reported_before_they_are_written(self, lake: Lake, tmp_path: Path) -> None:
        polls: list[QueryExecution] = []
        write_table(Selection("gold.days"), tmp_path / "days.hyper", lake.settings, on_poll=polls.append)
        assert [poll.rows for poll in polls] == [*[None] * (len(polls) - 1), ROWS]
        assert len(polls) > 1

    def test_every_column_has_its_own_type(self, lake: Lake, tmp_path: Path) -> None:
        extract = write_table(Selection("gold.days"), tmp_path / "days.hyper", lake.settings)
        from tableauhyperapi import TableName

        with opened(extract.file, tmp_path) as connection:
            definition = connection.catalog.get_table_definition(TableName("Extract", "Extract"))
        assert {column.name.unescaped: str(column.type) for column in definition.columns} == {
            "city": "TEXT", "n": "BIG_INT", "small": "INT", "speed": "DOUBLE", "day": "DATE", "at": "TIMESTAMP",
            "points": "NUMERIC(8, 2)", "ok": "BOOL",
        }  # fmt: skip

    def test_an_extract_has_only_the_chosen_rows_and_columns(self, lake: Lake, tmp_path: Path) -> None:
        selection = Selection(
            "gold.days", "n BETWEEN 5 AND 9 AND city LIKE 'city%' -- and no more", ("n", "city")
        )
        extract = write_table(selection, tmp_path / "few.hyper", lake.settings)
        expected = answer(
            lake, "SELECT n, city FROM days WHERE n BETWEEN 5 AND 9 AND city LIKE 'city%' ORDER BY n"
        )
        assert rows_of(extract.file, tmp_path, '"n"') == expected
        assert extract.rows == len(expected) > 0

    def test_partitions_are_columns_and_no_rows_are_an_empty_extract(
        self, lake: Lake, tmp_path: Path
    ) -> None:
        extract = write_table(Selection("gold.parted", "n = 5"), tmp_path / "p.hyper", lake.settings)
        assert rows_of(extract.file, tmp_path, '"n"') == [(5, 2024, "north")]
        none = write_table(Selection("gold.parted", "n < 0"), tmp_path / "none.hyper", lake.settings)
        assert (none.rows, rows_of(none.file, tmp_path, '"n"')) == (0, [])

    def test_columns_that_hyper_cannot_hold_can_be_left_out(self, lake: Lake, tmp_path: Path) -> None:
        extract = write_table(
            Selection("gold.nested", columns=("city",)), tmp_path / "n.hyper", lake.settings
        )
        assert extract.rows == ROWS

    def test_no_file_is_left_on_this_machine_or_on_s3(self, lake: Lake, tmp_path: Path) -> None:
        write_table(Selection("gold.days"), tmp_path / "days.hyper", lake.settings)
        assert [each.name for each in tmp_path.iterdir()] == ["days.hyper"]
        place = f"{lake.settings.athena.output_location}tableau/"
        assert lake.services.s3.objects(place) == []

    def test_lost_rows_are_detected_and_the_old_file_stays(
        self, lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("etltctl.extracting.write_extract", lambda *_: ROWS - 1)
        with pytest.raises(
            UnverifiedError, match=f"{ROWS} rows of gold.days, but the Hyper file holds {ROWS - 1}"
        ):
            write_table(Selection("gold.days"), tmp_path / "days.hyper", lake.settings)
        assert list(tmp_path.iterdir()) == []

    def test_numbers_of_more_than_18_digits_are_stored_exactly(self, lake: Lake, tmp_path: Path) -> None:
        import pyarrow as pa

        wide = Decimal("12345678901234567890123.45")
        lake.publish("gold.wide", {"x": pa.array([wide, None], pa.decimal128(38, 2))})
        extract = write_table(Selection("gold.wide"), tmp_path / "wide.hyper", lake.settings)
        assert rows_of(extract.file, tmp_path, '"x"') == [(None,), (wide,)]

    def test_timestamps_are_in_utc_in_every_zone_of_the_machine(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        monkeypatch.setenv("TZ", "America/Bogota")
        at = "2024-01-01T04:40:00"
        plain = pa.array([at]).cast(pa.timestamp("us"))
        columns = {"plain": plain, "zoned": plain.cast(pa.timestamp("us", "UTC"))}
        pq.write_table(pa.table(columns), tmp_path / "new.parquet")
        pq.write_table(pa.table(columns), tmp_path / "old.parquet", use_deprecated_int96_timestamps=True)
        types = dict.fromkeys(columns, "TIMESTAMP")
        for name in ("new", "old"):
            file = tmp_path / f"{name}.hyper"
            assert write_extract(file, types, [tmp_path / f"{name}.parquet"]) == 1
            (row,) = rows_of(file, tmp_path, '"plain"')
            assert [value.isoformat() for value in row] == [at, at], name

    def test_the_last_step_of_a_pipeline_publishes_an_extract_once_a_run(
        self, lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("TABLEAU_TOKEN_NAME", "ci")
        monkeypatch.setenv("TABLEAU_TOKEN_SECRET", "s3cret")
        text = (
            '[tableau.datasources.days]\ntable = "gold.days"\nwhere = "n < 10"\n'
            '[pipelines.show]\nsteps = ["athena:refresh", "tableau:days"]\n'
        )
        (tmp_path / "etltctl.toml").write_text(on_sample(text))
        with served(Site()) as site:
            flags = {"state": str(tmp_path), "tableau.server": site.url, "tableau.site": "lake"}
            settings = load_settings(flags=flags, env="local", environ={}, directory=tmp_path)
            shown: list[int | None] = []

            def on_poll(step: str, run: Run) -> None:
                shown.append(getattr(run, "rows", None) if step == "tableau:days" else None)

            first = run_pipeline("show", settings, RunOptions(run_id="r1", on_poll=on_poll)).steps[-1]
            again = run_pipeline("show", settings, RunOptions(run_id="r1")).steps[-1]
        assert (first.verb, first.facts["rows"], first.facts["datasource"]) == (Verb.STARTED, 9, "days")
        assert (again.verb, again.facts["rows"]) == (Verb.REUSED, 9)
        assert shown[-1] == 9, "a person who watches the run sees the rows before the extract is there"
        (sent,) = site.published
        (tmp_path / "sent.hyper").write_bytes(sent["content"])
        assert len(rows_of(tmp_path / "sent.hyper", tmp_path, '"n"')) == 9


def test_a_table_without_a_published_version_is_named(lake: Lake, tmp_path: Path) -> None:
    with pytest.raises(BlockedError, match=r"gold\.day_ranking has no published version yet") as error:
        write_table(Selection("gold.day_ranking"), tmp_path / "x.hyper", lake.settings)
    assert error.value.hint.startswith("run what writes it first: etltctl run ")
    assert "PIPELINE" not in error.value.hint


def test_a_table_that_no_job_writes_is_unknown(lake: Lake, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no table is called gold\.nothing"):
        write_table(Selection("gold.nothing"), tmp_path / "x.hyper", lake.settings)


@pytest.mark.parametrize("table", ["weather_daily", "golden.days", "gold."])
def test_a_name_that_is_not_a_table_is_named(lake: Lake, tmp_path: Path, table: str) -> None:
    with pytest.raises(UsageError, match="is not a table"):
        write_table(Selection(table), tmp_path / "x.hyper", lake.settings)


def test_a_column_that_hyper_cannot_hold_is_named_with_its_type(lake: Lake, tmp_path: Path) -> None:
    with pytest.raises(BlockedError) as raised:
        write_table(Selection("gold.nested"), tmp_path / "x.hyper", lake.settings)
    assert "tags (array<string>), raw (binary)" in raised.value.message
    assert raised.value.hint.endswith("columns city")
    assert list(tmp_path.iterdir()) == []


def test_an_invalid_column_or_condition_is_named(lake: Lake, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no column m"):
        write_table(Selection("gold.days", columns=("n", "m")), tmp_path / "x.hyper", lake.settings)
    with pytest.raises(RunFailedError, match="COLUMN_NOT_FOUND"):
        write_table(Selection("gold.days", "m = 1"), tmp_path / "x.hyper", lake.settings)
    with pytest.raises(UsageError, match="does not exist"):
        write_table(Selection("gold.days"), tmp_path / "no" / "x.hyper", lake.settings)


def test_every_type_of_the_lakes_tables_has_a_hyper_type() -> None:
    kinds = (
        "string",
        "bigint",
        "int",
        "double",
        "float",
        "boolean",
        "date",
        "timestamp",
        "decimal(6,2)",
        "varchar(9)",
    )
    assert all(
        hyper_types("gold.x", dict.fromkeys(kinds, "string") | {kind: kind for kind in kinds}).values()
    )


def test_without_tableaus_engine_the_extra_is_named(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "tableauhyperapi", None)
    with pytest.raises(ConfigurationError) as raised:
        write_table(Selection("gold.days"), tmp_path / "x.hyper", lake.settings)
    assert "[tableau]" in raised.value.hint
