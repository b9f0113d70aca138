"""The corpus of Athena's SQL, and the verdict on each case: what the dialect does for the right answer.

A case is a line of a file of `tests/component/local/athena_corpus`. The file's name is the area of SQL.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from etltctl.local.services.athena.dialect import QueryError, parse, rendered
from etltctl.local.services.athena.dialect.trino_types import BOOLEAN, DATE, DOUBLE, VARCHAR, Type
from etltctl.local.services.athena.engine import Answer, answer_of, confine, executed, prepare
from etltctl.local.services.athena.tables import Lake
from etltctl.local.services.s3.directory import S3Directory
from support.embedded_athena import OneCatalog
from support.tallies import Counts, Tally

CORPUS = Path(__file__).parents[1] / "component" / "local" / "athena_corpus"
# `equal`: DuckDB itself answers the untranslated SQL as Athena does. `translated`: it does so only through the dialect.
# `refused`: the dialect refuses the query by the error that the case names. `different`: everything else.
VERDICTS = ("equal", "translated", "refused", "different")
TALLY = Tally("Athena's SQL: the cases of the corpus", VERDICTS, "different")

# The type of Trino by which a value of DuckDB is written, by the value's class in Python. A bool is an int too.
TYPES: Mapping[type, Type] = {
    bool: BOOLEAN,
    float: DOUBLE,
    Decimal: Type("decimal", (38, 0)),
    datetime: Type("timestamp", (3,)),
    date: DATE,
    time: Type("time", (3,)),
    bytes: Type("varbinary"),
}


@dataclass(frozen=True)
class Case:
    """A query of an area of SQL, and Athena's rows or the name of Athena's error."""

    area: str
    number: int
    sql: str
    rows: list[list[str | None]] | None = field(default=None, hash=False)
    error: str = ""

    @property
    def title(self) -> str:
        """The area in words."""
        return self.area.replace("_", " ")

    @property
    def id(self) -> str:
        """The case's name in a run of the tests."""
        return f"{self.area}-{self.number}"


def cases() -> list[Case]:
    """Return every case of the corpus."""
    return [
        Case(path.stem, number, **json.loads(line))
        for path in sorted(CORPUS.glob("*.jsonl"))
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
    ]


@dataclass(frozen=True)
class Referee:
    """A confined DuckDB that answers each case twice: through the dialect, and by itself."""

    engine: duckdb.DuckDBPyConnection
    lake: Lake

    @classmethod
    def of(cls, engine: duckdb.DuckDBPyConnection, lake: Lake) -> Referee:
        """Confine the connection as a query that reads no table. It takes longer than most queries, so once."""
        confine(engine, ())
        return cls(engine, lake)

    def answer(self, sql: str) -> Answer:
        """Return the embedded Athena's answer.

        Raises:
            QueryError: if it refuses the query.
        """
        prepared = prepare(parse(sql), (), "default", self.lake)
        with executed(prepared, self.engine) as done:
            return answer_of(done, prepared.translation)

    def verdict(self, case: Case) -> tuple[str, str]:
        """Return one of VERDICTS, and what the embedded Athena answered."""
        try:
            rows = self.answer(case.sql).rows
        except QueryError as refusal:
            return ("refused" if refusal.code == case.error else "different"), str(refusal)
        if rows != case.rows:
            return "different", str(rows)
        return ("equal" if self.duckdb_rows(case.sql) == case.rows else "translated"), str(rows)

    def duckdb_rows(self, sql: str) -> list[list[str | None]] | None:
        """Return what DuckDB answers to the untranslated SQL, written as Athena writes rows; None for an error."""
        with suppress(duckdb.Error):
            return [[written(value) for value in row] for row in self.engine.execute(sql).fetchall()]
        return None


def written(value: Any) -> str | None:
    """Return a value of DuckDB as Athena writes it."""
    if isinstance(value, list):
        return f"[{', '.join(_inside(item) for item in value)}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_inside(key)}={_inside(item)}' for key, item in value.items())}}}"
    return rendered(value, TYPES.get(type(value), VARCHAR))


def _inside(value: Any) -> str:
    return "null" if value is None else str(written(value))


def counted(verdicts: Iterable[tuple[str, str]]) -> Counts:
    """Count pairs of a case's area and its verdict."""
    counts = Counts(VERDICTS)
    for area, verdict in verdicts:
        counts.add(area, verdict)
    return counts


def measured_table() -> str:
    """Answer every case, and return the counts as the table of the reference page."""
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as engine:
        lake = Lake(OneCatalog(), S3Directory(Path(folder, "s3"), Path(folder, "meta")))
        referee = Referee.of(engine, lake)
        return counted((case.title, referee.verdict(case)[0]) for case in cases()).markdown("area")
