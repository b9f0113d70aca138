"""Each kind of step declares what it reads and writes, so that a pipeline is a chain from its source to gold."""

from __future__ import annotations

from pathlib import Path

import pytest

from etltctl.pipeline import Step, lineage_of, steps
from etltctl.settings import Settings, load_settings
from support.sample_settings import on_sample

TABLEAU = '[tableau.datasources.weather]\ntable = "gold.weather_daily"\n[tableau.datasources.server]\n'


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "etltctl.toml").write_text(on_sample(TABLEAU))
    return load_settings(config=tmp_path / "etltctl.toml", env="local", environ={})


@pytest.mark.parametrize("pipeline", ["mongodb", "api"])
def test_every_step_reads_what_a_step_before_it_writes_from_the_source_on(
    settings: Settings, pipeline: str
) -> None:
    known = {f"source {pipeline}"}
    for step in steps(pipeline, settings):
        reads, writes = lineage_of(step, settings)
        assert set(reads) <= known, step
        known |= set(writes)
    assert {name for name in known if name.startswith("gold.")} <= set(settings.versioned_tables())
    assert any(name.startswith("gold.") for name in known)


def test_an_extract_reads_its_table_and_writes_the_data_source(settings: Settings) -> None:
    assert lineage_of(Step("tableau", "weather"), settings) == (
        ("gold.weather_daily",),
        ("data source weather",),
    )
    assert lineage_of(Step("tableau", "server"), settings) == ((), ("data source server",))


@pytest.mark.parametrize("step", ["glue:gone", "spark:job", "athena:refresh", "sync"])
def test_a_step_that_moves_no_rows_or_is_unknown_has_no_lineage(settings: Settings, step: str) -> None:
    reads, writes = lineage_of(Step.parse(step), settings)
    assert (list(reads), list(writes)) == ([], [])
