"""`etltctl runs report` on the command line: what it prints, and the browser that it opens."""

from __future__ import annotations

import json
import webbrowser
from pathlib import Path

import pytest

from etltctl.cli import main
from support.reported import succeeded

VERSION = {"type": "version", "schema": "etltctl.events/1.0"}


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of the report on the run `run-1`, which is on record in a new state folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ETLTCTL_STATE_DIR", str(tmp_path / "state"))
    file = tmp_path / "state" / "runs" / "run-1.ndjson"
    file.parent.mkdir(parents=True)
    file.write_text("".join(json.dumps(line) + "\n" for line in [VERSION, *succeeded()]))
    return tmp_path / "state" / "reports" / "run-1.html"


def test_the_path_and_the_size_are_printed(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["runs", "report", "--no-plots"])
    assert capsys.readouterr().out == f"{page}  {page.stat().st_size / 1000:,.0f} kB\n"


@pytest.mark.parametrize(("is_opened", "said"), [(True, ""), (False, "no browser could be opened")])
def test_open_shows_the_file_in_the_browser(
    page: Path,
    is_opened: bool,
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda address: opened.append(address) or is_opened)
    with pytest.raises(SystemExit, match="0"):
        main(["runs", "report", "run-1", "--open", "--no-plots"])
    assert opened == [page.as_uri()]
    assert said in capsys.readouterr().err


def test_a_ledger_of_a_later_version_is_refused_in_a_sentence(
    page: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (page.parents[1] / "runs" / "run-1.ndjson").write_text(
        '{"type": "version", "schema": "etltctl.events/9.0"}\n'
    )
    with pytest.raises(SystemExit, match="2"):
        main(["runs", "report", "run-1"])
    assert "was written with schema etltctl.events/9.0" in capsys.readouterr().err


def test_a_typo_in_a_plot_is_named_and_stops_neither_the_report_nor_another_command(
    page: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = page.parents[2] / "etltctl.toml"
    file.write_text('[plots.mine]\ntable = "gold.weather_monthly"\nx = "year"\ny = "rain_mm"\nkynd = "bar"\n')
    fault = "etltctl.toml:5:1: unknown setting plots.mine.kynd, did you mean kind?"
    for words, code in (
        (["runs", "list"], "0"),
        (["runs", "report", "--no-plots"], "0"),
        (["config", "validate"], "3"),
    ):
        with pytest.raises(SystemExit, match=code):
            main(words)
        said = capsys.readouterr().err
        assert (fault in said) is (words != ["runs", "list"]), words


def test_a_page_without_plots_says_so_and_how_to_get_them(
    page: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["runs", "report", "--no-plots"])
    text = page.read_text("utf-8")
    assert (
        "This page was made without plots. <code>etltctl runs report run-1</code> makes it with them." in text
    )
    assert "declare no plot" not in text
