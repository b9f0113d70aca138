"""The public names as a type checker sees them: checked by `make check`, never run."""

from __future__ import annotations

from typing import Any, assert_type

import etltctl
from etltctl.testing import EmbeddedLake, Rule, VirtualClock, glue_run, open_lake


def use(settings: etltctl.Settings, lake: EmbeddedLake, clock: VirtualClock) -> None:
    """Every call of the library with the type of its result."""
    assert_type(etltctl.run_pipeline("mongodb"), etltctl.PipelineResult)
    assert_type(
        etltctl.run_backfill("api", etltctl.BackfillOptions(2019, 2024), settings), etltctl.BackfillResult
    )
    assert_type(etltctl.run_step("mongodb", "sync:mongodb", run_id="x"), dict[str, Any])
    assert_type(etltctl.sync("mongodb", settings, etltctl.RunOptions(run_id="x")), etltctl.StepResult)
    assert_type(etltctl.check_source("mongodb", settings), etltctl.SourceStreams)
    assert_type(etltctl.discover_source("api").streams[0].name, str)
    assert_type(etltctl.run_glue("bronze_to_silver", wait=False), etltctl.StepResult)
    assert_type(etltctl.refresh(["gold.weather_daily"], settings), etltctl.StepResult)
    assert_type(etltctl.query("select 1").rows, list[tuple[Any, ...]])
    with etltctl.connect(env="aws") as reached:
        assert_type(reached, etltctl.Settings)
    assert_type(etltctl.load_settings(), etltctl.Settings)
    assert_type(etltctl.UnverifiedError("x").exit_code, etltctl.ExitCode)
    assert_type(glue_run("bronze_to_silver", "FAILED"), list[Rule])
    assert_type(lake.met(), dict[str, int])
    assert_type(clock.now, float)
    with open_lake(lake.folder) as opened:
        assert_type(opened, EmbeddedLake)
