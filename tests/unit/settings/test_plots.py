"""Plots of the settings: three lines are enough, and every mistake is reported with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from etltctl.errors import ConfigurationError
from etltctl.settings import Settings, load_settings
from etltctl.settings.doubts import doubts
from support.sample_settings import on_sample


def loaded(folder: Path, text: str) -> Settings:
    file = folder / "etltctl.toml"
    file.write_text(on_sample(text))
    return load_settings(config=file, env="local", environ={"ETLTCTL_STATE_DIR": str(folder / "state")})


def test_three_lines_declare_a_plot(tmp_path: Path) -> None:
    settings = loaded(
        tmp_path, '[plots.mine]\ntable = "gold.weather_daily"\nx = "local_date"\ny = "rain_mm"\n'
    )
    plot = settings.plots["mine"]
    assert (plot.kind, plot.measure, plot.columns) == ("line", "avg", {"x": "local_date", "y": "rain_mm"})


def test_the_shipped_plots_are_of_gold_and_stay_next_to_a_project_s_own(tmp_path: Path) -> None:
    settings = loaded(tmp_path, '[plots.mine]\ntable = "gold.weather_daily"\nx = "a"\ny = "b"\n')
    assert {"wind_rose", "monthly_wind", "monthly_sun", "championship", "mine"} <= set(settings.plots)
    assert {plot.table.partition(".")[0] for plot in settings.plots.values()} == {"gold"}


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (
            'kind = "pie"\nx = "a"\ny = "b"',
            "etltctl.toml:3:1: plots.mine.kind must be 'line', 'bar', 'scatter'",
        ),
        ('x = "a"', "etltctl.toml:1:2: plots.mine.y is missing"),
        ('x = "a"\ny = "b"\ncolour = "c"', "etltctl.toml:5:1: unknown setting plots.mine.colour"),
        ('kind = "heatmap"\nx = "a"\ny = "b"', "etltctl.toml:1:2: plots.mine must name value"),
        ('kind = "heatmap"\nx = "a"\ny = "b"\nvalue = "c"\nseries = "d"', "plots.mine must not name series"),
        (
            'x = "a"\ny = "b"\nvalue = "c"',
            "plots.mine must not name value: in a line the values are those of y",
        ),
    ],
)
def test_a_mistake_is_reported_with_its_place(tmp_path: Path, lines: str, says: str) -> None:
    settings = loaded(tmp_path, f'[plots.mine]\ntable = "gold.weather_daily"\n{lines}\n')
    assert any(says in problem for problem in settings.plot_problems)
    assert any(says in doubt.text and doubt.is_error for doubt in doubts(settings, {}))


def test_a_plot_of_an_unknown_table_is_reported_with_the_nearest_name(tmp_path: Path) -> None:
    settings = loaded(tmp_path, '[plots.mine]\ntable = "gold.weather_dayly"\nx = "a"\ny = "b"\n')
    (problem,) = settings.plot_problems
    assert problem.startswith(
        "etltctl.toml:2:1: plots.mine: no job, query or source writes table gold.weather_dayly"
    )
    assert problem.endswith("did you mean gold.weather_daily?")


def test_a_column_that_the_contract_lacks_is_a_warning_with_its_place(tmp_path: Path) -> None:
    settings = loaded(tmp_path, '[plots.mine]\ntable = "gold.weather_daily"\nx = "day"\ny = "rain"\n')
    contract = settings.contracts_folder / "gold.weather_daily.toml"
    contract.parent.mkdir(parents=True)
    contract.write_text('[columns]\nday = "date"\nrain_mm = "double"\n')
    (doubt,) = [one for one in doubts(settings, {}) if "plots.mine" in one.text]
    assert doubt.text.startswith(
        "etltctl.toml:4:1: plots.mine.y: the contract of gold.weather_daily has no column rain"
    )
    assert doubt.text.endswith("did you mean rain_mm?")
    assert not doubt.is_error


def test_a_faulty_plot_is_left_out_and_the_others_stay(tmp_path: Path) -> None:
    settings = loaded(tmp_path, '[plots.mine]\ntable = "gold.weather_daily"\nx = "a"\nyy = "b"\n')
    assert "mine" not in settings.plots
    assert {"wind_rose", "championship"} <= set(settings.plots)
    assert len(settings.plot_problems) == 2  # y is missing, yy is unknown


@pytest.mark.parametrize("text", ["plots = 3", "plots.mine = 3"])
def test_plots_that_are_no_tables_stop_nothing_either(tmp_path: Path, text: str) -> None:
    settings = loaded(tmp_path, text)
    assert settings.plot_problems[0].startswith("etltctl.toml:1:1: plots")
    assert "must be a table" in settings.plot_problems[0]


def test_a_fault_elsewhere_stops_the_command_and_the_plot_s_is_named_with_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as error:
        loaded(tmp_path, 'statee = "x"\n[plots.mine]\ntable = "gold.weather_daily"\nx = "a"\n')
    assert [problem.split(" ")[0] for problem in error.value.problems] == [
        "etltctl.toml:2:2:",
        "etltctl.toml:1:1:",
    ]


def test_overlaid_settings_keep_the_faults_of_plots(tmp_path: Path) -> None:
    settings = loaded(tmp_path, '[plots.mine]\ntable = "gold.weather_daily"\nx = "a"\n')
    assert settings.overlaid({"aws": {"region": "eu-west-1"}}).plot_problems == settings.plot_problems
