"""A query's rows in files: Parquet with the types of Athena's columns, and every other output by the file's ending."""

from __future__ import annotations

import errno
import io
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import etltctl
from etltctl.aws import Aws
from etltctl.cli.query_output import QueryOutput
from etltctl.console import Console
from etltctl.console.layouts import Output
from etltctl.errors import ConfigurationError, EtltctlError, UsageError
from etltctl.querying import Answer, run_query
from support.lakes import SmallLake
from support.served import Served

SQL = """select * from (values
  (cast(7 as bigint), decimal '12.50', date '2026-01-31', timestamp '2026-01-31 12:00:00.250', '', array[1, 2],
   timestamp '2026-01-31 12:00:00 UTC', true, 0.5e0, map(array['a'], array[1]), cast(3 as smallint), to_utf8('hi')),
  (null, null, null, null, null, null, null, null, null, null, null, null)
) t(n, price, day, at, text, both, instant, yes, share, named, small, raw)"""
TYPES = {
    "n": pa.int64(), "price": pa.decimal128(4, 2), "day": pa.date32(), "at": pa.timestamp("us"), "text": pa.string(),
    "both": pa.string(), "instant": pa.timestamp("us", tz="UTC"), "yes": pa.bool_(), "share": pa.float64(),
    "named": pa.string(), "small": pa.int16(), "raw": pa.binary(),
}  # fmt: skip
VALUES = {
    "n": 7, "price": Decimal("12.50"), "day": date(2026, 1, 31),
    "at": datetime.fromisoformat("2026-01-31T12:00:00.250"), "text": "", "both": "[1, 2]",
    "instant": datetime(2026, 1, 31, 12, tzinfo=UTC), "yes": True, "share": 0.5,
    "named": "{a=1}", "small": 3, "raw": b"hi",
}  # fmt: skip


@pytest.fixture(scope="module")
def small(server: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallLake]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**server.environ, "AWS_DEFAULT_REGION": "us-east-1"}.items():
            patch.setenv(name, value)
        yield SmallLake(server, Aws(region="us-east-1"), tmp_path_factory.mktemp("files"))


@pytest.fixture(scope="module")
def answer(small: SmallLake) -> Answer:
    return run_query(SQL, small.settings)


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


class Pipe(io.TextIOWrapper):
    """Standard output that leads to a program."""

    def __init__(self, stream: io.BytesIO | None = None) -> None:
        super().__init__(stream or io.BytesIO())


class Full(io.BytesIO):
    """A file on a disk that is full."""

    def write(self, _: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_parquet_file_has_the_types_of_athenas_columns(answer: Answer, tmp_path: Path) -> None:
    file = tmp_path / "rows.parquet"
    QueryOutput.of(Console(plain=True, quiet=True), file, None).write(answer)
    table = pq.read_table(file)
    assert dict(zip(table.schema.names, table.schema.types, strict=True)) == TYPES
    assert table.to_pylist() == [VALUES, dict.fromkeys(VALUES)]
    assert [path.name for path in tmp_path.iterdir()] == ["rows.parquet"]


def test_parquet_on_a_pipe_is_the_same_file(answer: Answer) -> None:
    out = Pipe()
    QueryOutput.of(Console(Output.PARQUET, stdout=out), None, None).write(answer)
    assert pq.read_table(io.BytesIO(out.buffer.getvalue())).to_pylist()[0] == VALUES  # type: ignore[attr-defined]


def test_parquet_without_a_reader_ends_well(answer: Answer) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    kept = os.dup(1)
    try:
        with os.fdopen(writer, "w") as out, pytest.raises(SystemExit) as ended:
            QueryOutput.of(Console(Output.PARQUET, stdout=out), None, None).write(answer)
    except BrokenPipeError:
        pass  # the test's own end of the pipe, flushed once more by its close
    finally:
        os.dup2(kept, 1)
        os.close(kept)
    assert ended.value.code == 0


def test_parquet_on_a_full_disk_is_an_error_with_its_place(answer: Answer) -> None:
    with pytest.raises(EtltctlError, match="cannot be written to standard output: No space left"):
        QueryOutput.of(Console(Output.PARQUET, stdout=Pipe(Full())), None, None).write(answer)


def test_parquet_is_refused_on_a_terminal_and_in_no_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="standard output is a terminal") as refused:
        QueryOutput.of(Console(Output.PARQUET, stdout=Screen()), None, None)
    assert refused.value.hint == "name a file: --to FILE.parquet"
    with pytest.raises(UsageError, match=r"the folder .*/none does not exist; no query was started"):
        QueryOutput.of(Console(), tmp_path / "none" / "rows.csv", None)
    with pytest.raises(UsageError, match="it is a folder"):
        QueryOutput.of(Console(), tmp_path, None)


def test_an_ending_of_no_output_is_refused_before_the_query(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no output has the ending \.xlsx; no query was started"):
        QueryOutput.of(Console(), tmp_path / "rows.xlsx", None)


def test_the_ending_of_the_file_chooses_the_output(answer: Answer, tmp_path: Path) -> None:
    for name in ("rows.csv", "rows.json", "rows.md", "rows.txt"):
        QueryOutput.of(Console(plain=True, quiet=True), tmp_path / name, None).write(answer)
    assert (tmp_path / "rows.csv").read_text().startswith("n,price,day")
    assert json.loads((tmp_path / "rows.json").read_text())["rows"][0]["price"] == "12.50"
    assert (tmp_path / "rows.md").read_text().startswith("| n | price | day |")
    assert "─" in (tmp_path / "rows.txt").read_text()
    QueryOutput.of(Console(Output.CSV, quiet=True), tmp_path / "rows.json", None).write(answer)
    assert (tmp_path / "rows.json").read_text().startswith("n,price,day")


def test_a_query_without_a_result_and_a_full_disk_leave_no_file(
    answer: Answer, small: SmallLake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = QueryOutput.of(Console(Output.PARQUET, quiet=True), tmp_path / "rows.parquet", None)
    with pytest.raises(UsageError, match="no result to write as Parquet"):
        output.write(replace(answer, columns=[]))
    (tmp_path / "closed").mkdir(mode=0o500)
    if os.geteuid():
        with pytest.raises(EtltctlError, match=r"cannot be written to .*closed/rows.csv: Permission denied"):
            QueryOutput.of(Console(quiet=True), tmp_path / "closed" / "rows.csv", None).write(answer)
    assert [path.name for path in tmp_path.iterdir()] == ["closed"]


def test_rows_wider_than_the_terminal_stand_one_column_a_line(
    answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def shown(is_vertical: bool | None, columns: int, out: io.StringIO) -> str:
        monkeypatch.setenv("COLUMNS", str(columns))
        QueryOutput.of(Console(stdout=out), None, is_vertical).write(answer)
        return out.getvalue()

    assert shown(None, 60, Screen()).splitlines()[:3] == ["── row 1 ", "n        7", "price    12.50"]
    assert shown(None, 300, Screen()).startswith("n  price")
    assert shown(None, 60, io.StringIO()).startswith("n  price")
    assert shown(False, 60, Screen()).startswith("n  price")
    assert shown(True, 300, io.StringIO()).startswith("── row 1")


def test_the_python_result_becomes_arrow_and_a_data_frame(small: SmallLake) -> None:
    result = etltctl.query(SQL, small.settings)
    table = result.arrow()
    assert dict(zip(table.schema.names, table.schema.types, strict=True)) == TYPES
    assert table.to_pylist() == [VALUES, dict.fromkeys(VALUES)]
    frame = result.df()
    assert {name: str(frame[name].dtype) for name in ("n", "small", "yes", "share", "text", "at", "instant")} == {
        "n": "Int64", "small": "Int16", "yes": "boolean", "share": "Float64", "text": "string",
        "at": "datetime64[us]", "instant": "datetime64[us, UTC]",
    }  # fmt: skip
    assert frame["text"].isna().tolist() == [False, True]
    assert frame["price"][0] == Decimal("12.50")


def test_a_result_built_by_hand_has_the_types_of_its_values() -> None:
    result = etltctl.QueryResult(("n", "n", "text"), [(1, 2.5, "a"), (None, None, None)], "q", 0, 0.0)
    assert result.arrow().to_pydict() == {"n": [1, None], "n_2": [2.5, None], "text": ["a", None]}
    assert result.df()["n"].dtype == "Int64"


def test_without_pandas_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    with pytest.raises(ConfigurationError, match="pandas, which is not installed") as missing:
        etltctl.QueryResult(("n",), [(1,)], "q", 0, 0.0).df()
    assert "[pandas]" in missing.value.hint


def test_a_value_that_arrow_cannot_hold_is_named_with_its_cast(small: SmallLake) -> None:
    result = etltctl.query("select cast('text' as varchar) as a, 1 as b", small.settings)
    wrong = replace(result, described=(replace(result.described[0], type="date"), result.described[1]))
    with pytest.raises(UsageError, match=r"column a \(date\)") as refused:
        wrong.arrow()
    assert refused.value.hint == "cast it in the query: cast(a as varchar)"


def test_a_query_of_the_embedded_engine_costs_nothing(small: SmallLake) -> None:
    local = run_query("select 1", small.settings)
    answers = [replace(local, is_billed=True), local]
    scanned = [
        replace(each, execution=replace(each.execution, scanned_bytes=10**12, duration_ms=500))
        for each in answers
    ]
    assert [each.cost_usd for each in scanned] == [5.0, 0.0]
    assert scanned[0].summary().endswith("in 0.50 s, 5.000000 USD at Athena's price")
    assert scanned[1].summary().endswith("in 0.50 s, 0.00 USD on this machine")
    assert small.settings.env == "local"
    assert etltctl.query("select 1", small.settings).cost_usd == 0.0


@pytest.mark.parametrize(
    ("text", "hour"),
    [("2026-01-31 12:00:00.000 America/Bogota", 17), ("2026-01-31 12:00:00.000 +02:00", 10)],
)
def test_a_time_with_a_zone_is_an_instant(text: str, hour: int) -> None:
    from etltctl.athena.arrow_results import arrow_table
    from etltctl.athena.columns import Column

    column = Column("at", "timestamp with time zone")
    assert arrow_table([column], ["at"], [(text,)])["at"][0].as_py() == datetime(
        2026, 1, 31, hour, tzinfo=UTC
    )
    with pytest.raises(EtltctlError, match="knows no time zone Mars/Olympus"):
        arrow_table([column], ["at"], [("2026-01-31 12:00:00.000 Mars/Olympus",)])
