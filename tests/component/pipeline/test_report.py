"""Reports on runs of a real ledger: with services, without them, and of runs that have nothing to show."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest

from etltctl.errors import RunFailedError, UnreachableError, UsageError
from etltctl.pipeline import RunOptions, run_pipeline
from etltctl.reports import make_report
from etltctl.settings import Settings
from support.reported import Elements, event
from support.scripted import Place, job_run, lists, polled, started


@contextmanager
def unreachable() -> Iterator[Settings]:
    raise UnreachableError("the embedded server did not answer")
    yield


def read(path: Path) -> str:
    return Elements(path.read_text("utf-8")).text


def test_a_run_that_succeeded_has_a_report_below_the_state(place: Place) -> None:
    place.lake.script(lists(), started(), polled(job_run("SUCCEEDED", "reported")))
    run_pipeline("often", place.settings, RunOptions("reported"))
    report = make_report("reported", place.settings, lambda: nullcontext(place.settings))
    assert report.path == Path(place.settings.state) / "reports" / "reported.html"
    assert report.size == report.path.stat().st_size
    text = read(report.path)
    assert "Run reported succeeded" in text
    assert "glue:often (started)" in text
    assert "bronze.api_races" in text


def test_a_run_that_failed_has_a_report_with_its_error(place: Place, tmp_path: Path) -> None:
    place.lake.script(lists(), started(), polled(job_run("FAILED", "bad", ErrorMessage="<b>no memory</b>")))
    with pytest.raises(RunFailedError):
        run_pipeline("often", place.settings, RunOptions("bad"))
    report = make_report(
        "bad", place.settings, lambda: nullcontext(place.settings), to=tmp_path / "a" / "bad.html"
    )
    assert report.path == tmp_path / "a" / "bad.html"
    assert "jr_1 of often ended FAILED: <b>no memory</b>" in read(report.path)
    assert "etltctl retry bad" in read(report.path)


def test_without_its_services_the_report_has_what_the_ledger_has_and_says_why_no_plot(
    place: Place, tmp_path: Path
) -> None:
    audit = {"rows_in": 8, "rows_out": 8}
    tables = {"gold.weather_monthly": {"change": "updated", "rows": 8, "audit": audit, "version": "alone"}}
    ledger = place.ledger("alone")
    ledger.append("run.started", pipeline="mongodb", steps=["glue:silver_to_gold"])
    ledger.append("publish.switched", "glue:silver_to_gold", rows=8, tables=tables)
    report = make_report("alone", place.settings, unreachable, to=tmp_path / "alone.html")
    assert [name for name, _ in report.undrawn] == ["monthly_wind", "monthly_sun"]
    assert report.plots == 0
    text = read(report.path)
    assert "No plot: the services could not be reached: the embedded server did not answer." in text
    assert "gold.weather_monthly updated 8 8 8" in text
    assert "This run published 1 table as version alone" in text


def test_a_report_without_plots_reaches_no_service(place: Place, tmp_path: Path) -> None:
    place.ledger("quiet").append("run.started", pipeline="often", steps=["glue:often"])

    def never() -> nullcontext[Settings]:
        raise AssertionError("a service was reached")

    report = make_report("quiet", place.settings, never, to=tmp_path / "q.html", is_plotted=False)
    assert "No step of this run was started." in read(report.path)


def test_the_newest_run_with_something_to_show_is_meant_if_none_is_named(
    place: Place, tmp_path: Path
) -> None:
    def newest() -> str:
        return make_report("", place.settings, unreachable, to=tmp_path / "n.html", is_plotted=False).run_id

    place.ledger("20990101-0000-often-aaaa").append("run.started", pipeline="often", steps=["glue:often"])
    rollback = place.ledger("20990102-0000-rollback-aaaa")
    rollback.append("run.started", pipeline="rollback", steps=[])
    assert newest() == "20990101-0000-often-aaaa"
    rollback.append("publish.switched", rows=1, tables={}, version="v1")
    assert newest() == "20990102-0000-rollback-aaaa"


def test_a_run_without_an_event_is_refused_in_a_sentence(place: Place) -> None:
    (Path(place.settings.state) / "runs" / "void.ndjson").write_text("")
    with pytest.raises(UsageError, match="nothing is on record of run void"):
        make_report("void", place.settings, unreachable)


@pytest.mark.parametrize("run_id", ["../../outside", "/tmp/outside", ".."])
def test_a_run_id_on_record_is_no_path(place: Place, run_id: str) -> None:
    state = Path(place.settings.state)
    version = {"type": "version", "schema": "etltctl.events/1.0"}
    lines = [version, event(1, "run.started", steps=["glue:often"], run_id=run_id)]
    (state / "runs" / "moved.ndjson").write_text("".join(json.dumps(line) + "\n" for line in lines))
    report = make_report("moved", place.settings, unreachable, is_plotted=False)
    assert report.path.parent == state / "reports"
    assert report.path.is_file()


def test_a_file_that_cannot_be_written_is_refused_in_a_sentence(place: Place, tmp_path: Path) -> None:
    place.ledger("there").append("run.started", pipeline="often", steps=["glue:often"])
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"cannot write the report to .*File exists"):
        make_report("there", place.settings, unreachable, to=tmp_path / "file" / "r.html", is_plotted=False)
