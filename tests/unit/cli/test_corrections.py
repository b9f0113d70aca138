"""A misspelt name leads to the command line as it was meant, with every flag."""

from __future__ import annotations

from pathlib import Path

import pytest

from etltctl.cli import main


@pytest.mark.parametrize(
    ("arguments", "step"),
    [
        (
            ["run", "mongodbb", "--max-usd", "1"],
            "nothing was started; did you mean mongodb? etltctl run mongodb --max-usd 1",
        ),
        (["sync", "apo"], "nothing was started; did you mean api? etltctl sync api"),
        (
            ["run-glue", "bronze_to_sliver"],
            "nothing was started; did you mean bronze_to_silver? etltctl run-glue bronze_to_silver",
        ),
        (
            ["rollback", "gold.weather_dayly"],
            "did you mean gold.weather_daily? etltctl rollback gold.weather_daily",
        ),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_misspelt_name_leads_to_the_corrected_command(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    step: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ETLTCTL_STATE_DIR", str(tmp_path / "state"))
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    assert f"  next: {step}\n" in capsys.readouterr().err


def test_a_name_that_stands_twice_in_the_command_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="2"):
        main(["run", "apo", "--only", "apo"])
    assert "etltctl run api" not in capsys.readouterr().err
