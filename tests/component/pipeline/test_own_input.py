"""A job that reads the table that it writes: its first version needs another way, which the refusal names."""

from __future__ import annotations

import pytest

from etltctl.errors import BlockedError
from etltctl.pipeline import RunOptions, run_pipeline
from support.scripted import Place, lists, started


def own_input(place: Place) -> None:
    settings = place.settings.overlaid({"glue": {"jobs": {"often": {"reads": ["gold.often"]}}}})
    run_pipeline("often", settings, RunOptions("own-input"))


def test_the_refusal_names_the_way_to_the_first_version(place: Place) -> None:
    place.lake.script(lists(), started())
    with pytest.raises(
        BlockedError, match=r"glue.jobs.often reads gold.often, which it writes itself"
    ) as blocked:
        own_input(place)
    assert "take gold.often out of glue.jobs.often.reads" in blocked.value.hint
    assert place.count("StartJobRun") == 0


def test_another_table_without_a_version_has_the_usual_advice(place: Place) -> None:
    place.lake.script(lists(), started())
    settings = place.settings.overlaid({"glue": {"jobs": {"often": {"reads": ["gold.rarely"]}}}})
    with pytest.raises(BlockedError, match=r"gold.rarely has no published version yet"):
        run_pipeline("often", settings, RunOptions("others-input"))
