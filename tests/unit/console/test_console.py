"""The output of a command: results on stdout in the chosen format, the rest on stderr, plain if no one is watching."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterator

import pytest

from etltctl.cli.progress import drawn_run
from etltctl.console import Console, Output, is_terminal
from etltctl.errors import ConfigurationError, RunFailedError
from etltctl.tabulating import aligned, folded


def lines_of(columns: tuple[str, ...], rows: list[tuple[object, ...]]) -> str:
    return "\n".join(aligned(columns, rows))


def console(output: Output = Output.TABLE, **settings: object) -> tuple[Console, io.StringIO, io.StringIO]:
    out, err = io.StringIO(), io.StringIO()
    return Console(output, plain=True, stdout=out, stderr=err, **settings), out, err


def test_a_table_aligns_numbers_right_and_text_left() -> None:
    lines = lines_of(("driver", "points"), [("ver", 437), ("norris", 74)]).splitlines()
    assert lines == ["driver  points", "──────  ──────", "ver        437", "norris      74"]


def test_json_is_one_document_with_its_schema() -> None:
    shown, out, _ = console(Output.JSON)
    shown.rows("etltctl.query/1", ("a", "b"), [(1, None)], query_id="q")
    assert json.loads(out.getvalue()) == {
        "schema": "etltctl.query/1",
        "query_id": "q",
        "rows": [{"a": 1, "b": None}],
    }


def test_ndjson_has_one_object_per_line() -> None:
    shown, out, _ = console(Output.NDJSON)
    shown.rows("etltctl.query/1", ("a",), [(1,), (2,)])
    assert [json.loads(line) for line in out.getvalue().splitlines()] == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize("output", [Output.JSON, Output.NDJSON])
def test_json_is_json_and_loses_no_column(output: Output) -> None:
    console = Console(output, stdout=io.StringIO())
    console.rows("s/1", ("a", "a", "a_2"), [(math.nan, math.inf, [-math.inf])])
    document = json.loads(console.stdout.getvalue(), parse_constant=pytest.fail)  # type: ignore[attr-defined]
    row = document["rows"][0] if output is Output.JSON else document
    assert row == {"a": "NaN", "a_3": "Infinity", "a_2": ["-Infinity"]}


def test_data_cannot_control_the_terminal() -> None:
    assert lines_of(("x",), [("\x1b[31mred\nnext",)]).splitlines()[2:] == [r"\x1b[31mred\nnext"]


def test_csv_has_a_header_and_quotes_only_where_needed() -> None:
    shown, out, _ = console(Output.CSV)
    shown.rows("etltctl.query/1", ("a", "b"), [(1, 'x "y", z'), (None, True)])
    assert out.getvalue() == 'a,b\n1,"x ""y"", z"\n,true\n'
    shown.result({"table": "t", "rows": 3}, "said")
    assert out.getvalue().endswith("table,rows\nt,3\n")


def test_a_table_without_rows_is_a_sentence_on_stderr() -> None:
    shown, out, err = console()
    shown.rows("etltctl.runs/1", ("run", "pipeline"), [], none="No runs yet.")
    assert (out.getvalue(), err.getvalue()) == ("", "No runs yet.\n")
    shown.rows("etltctl.query/1", ("n",), iter([]))
    shown.rows("etltctl.runs/1", ("run",), iter([("r1",), ("r2",)]), none="No runs yet.")
    assert out.getvalue() == "n\n─\nrun\n───\nr1\nr2\n"
    shown.output = Output.CSV
    shown.rows("etltctl.runs/1", ("run",), [], none="No runs yet.")
    assert out.getvalue().endswith("r2\nrun\n"), "a program that reads the output still gets its columns"
    assert err.getvalue() == "No runs yet.\n"


@pytest.mark.parametrize("output", list(Output))
def test_rows_are_written_as_they_arrive(output: Output) -> None:
    shown, out, _ = console(output)
    written: list[int] = []

    def rows() -> Iterator[tuple[int]]:
        for n in range(3_000):
            written.append(len(out.getvalue()))
            yield (n,)

    shown.rows("etltctl.query/1", ("n",), rows())
    assert written[-1] > 2_000


def test_progress_goes_to_stderr_and_quiet_silences_it() -> None:
    shown, out, err = console()
    shown.say("working")
    assert (out.getvalue(), err.getvalue()) == ("", "working\n")
    shown, _, err = console(quiet=True)
    shown.say("working")
    assert err.getvalue() == ""


def test_a_finished_step_is_one_line_with_verb_rows_and_proof() -> None:
    shown, _, err = console()
    event = {
        "type": "step.finished", "step": "sync:mongodb", "outcome": "succeeded", "verb": "started", "rows": 8710,
        "reported_rows": 8710, "layer": "bronze", "seconds": 1.1,
    }  # fmt: skip
    with drawn_run(shown, "mongodb") as progress:
        progress.draw(event)
    assert err.getvalue().split() == (
        [
            "mongodb",
            "sync",
            "started",
            "8,710",
            "rows",
            "bronze",
            "1.1",
            "s",
            "proven",
            "8,710",
            "of",
            "8,710",
        ]
    )


def test_an_error_states_cause_place_and_next_step_without_a_traceback() -> None:
    shown, out, err = console()
    shown.error(
        RunFailedError("Glue run jr_1 ended FAILED", hint="run again", run="jr_1", log="line 1\nline 2")
    )
    assert out.getvalue() == ""
    assert err.getvalue().splitlines() == [
        "error: Glue run jr_1 ended FAILED",
        "  run: jr_1",
        "  log:",
        "    line 1",
        "    line 2",
        "  next: run again",
    ]


def test_every_problem_of_the_settings_is_listed() -> None:
    shown, _, err = console()
    shown.error(ConfigurationError("2 problems", problems=("etltctl.toml:1:1: a", "etltctl.toml:2:1: b")))
    assert "  etltctl.toml:1:1: a\n  etltctl.toml:2:1: b" in err.getvalue()


def test_a_traceback_is_printed_with_two_verbose_flags() -> None:
    shown, _, err = console(verbosity=2)
    try:
        raise RunFailedError("gone")
    except RunFailedError as error:
        shown.error(error)
    assert "Traceback" in err.getvalue()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environ", "live"),
    [({}, True), ({"NO_COLOR": "1"}, True), ({"CI": "true"}, False), ({"TERM": "dumb"}, False)],
)
def test_live_progress_needs_a_terminal_and_no_request_for_plain_output(
    environ: dict[str, str], live: bool
) -> None:
    assert is_terminal(Terminal(), environ) is live
    assert is_terminal(io.StringIO(), environ) is False


def test_a_closed_stderr_does_not_stop_the_run() -> None:
    class ClosedStream(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    Console(plain=True, stderr=ClosedStream()).say("working")


def test_a_job_s_line_accounts_for_every_row() -> None:
    shown, _, err = console()
    audit = {"rows_in": 1_010, "rows_out": 1_000, "merged": 7, "rejected": 3, "flags": {"NO_WIND": 2}}
    rejects = {"change": "updated", "rows": 3, "audit": {"rows_out": 3}}  # they are counted as rejected
    tables = {
        "silver.thing": {"change": "updated", "rows": 1_000, "audit": audit},
        "silver_rejects.thing": rejects,
    }
    event = {
        "type": "step.finished", "step": "glue:job", "outcome": "succeeded", "verb": "started", "rows": 1_000,
        "layer": "silver", "seconds": 1.0, "tables": tables, "usd": 0.147,
    }  # fmt: skip
    with drawn_run(shown, "mongodb") as progress:
        progress.draw(event)
        progress.draw({**event, "verb": "reused", "usd": 0.0})
    first, second = err.getvalue().splitlines()
    assert first.endswith("published 2 tables · 1,010 in, 7 merged, 3 rejected, NO_WIND 2 · 0.15 USD")
    assert second.endswith("as before")


def test_a_long_last_cell_stands_below_its_row_and_keeps_ids_whole() -> None:
    identifier = f"remote_id=jr_{64 * '8'}"
    rows = [
        (1, "run.started", "pipeline=api"),
        (2, "remote.started", f"service=Glue {identifier} state=STARTING"),
    ]
    assert list(folded(("seq", "event", "facts"), rows, width=90)) == [
        "seq  event           facts",
        "───  ──────────────  ─────",
        "  1  run.started     pipeline=api",
        "  2  remote.started",
        "     service=Glue",
        f"     {identifier}",
        "     state=STARTING",
    ]
