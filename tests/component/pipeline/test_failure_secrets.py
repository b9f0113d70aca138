"""No secret that a service quotes reaches the record, the error or the explanation of a failed run."""

from __future__ import annotations

import json

import pytest

from etltctl.errors import EtltctlError
from etltctl.explanation import document, explain
from etltctl.pipeline import RunOptions, run_pipeline
from support.scripted import Place, job_run, lists, polled, started

URI = "postgres://etl:deep-secret@db/shop"


def test_a_reason_with_credentials_is_recorded_and_printed_without_them(place: Place) -> None:
    reason = f"ValueError: cannot reach {URI} with AKIAIOSFODNN7EXAMPLE {'x' * 250} {URI}"
    place.lake.script(lists(), started(), polled(job_run("FAILED", "leak", ErrorMessage=reason)))
    with pytest.raises(EtltctlError) as failure:
        run_pipeline("often", place.settings, RunOptions("leak"))
    error = failure.value
    shown = json.dumps(
        [error.message, str(error), error.facts, error.record, place.events("leak")], default=str
    )
    explained = json.dumps(document(explain(place.settings, "leak")))
    for text in (shown, explained):
        assert "cannot reach postgres://***@db/shop with ***" in text
        assert "deep-s" not in text
        assert "AKIA" not in text
