"""Publishing and refreshing on a Tableau site, over the wire: sign-in, chunks, projects, jobs and failures."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from etltctl.errors import (
    AccessError,
    ConfigurationError,
    RunFailedError,
    ServiceError,
    UnreachableError,
    WaitTimeoutError,
)
from etltctl.ledger import Ledger
from etltctl.pipeline import (
    RunOptions,
    Step,
    cancel_run,
    publish_file,
    refresh_datasource,
    run_alone,
    run_pipeline,
    unknown_steps,
)
from etltctl.pipeline.services import Services
from etltctl.runs import State, Verb
from etltctl.settings import Settings, load_settings
from support.sample_settings import on_sample
from support.tableau_site import RefusalError, Site, served

pytest.importorskip("tableauserverclient", reason="tableauserverclient is not installed (extra `tableau`)")

DATASOURCES = """
[tableau.datasources.weather]
name = "Weather, refreshed"
project = "Weather"
[pipelines.show]
steps = ["tableau:weather"]
"""


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("TABLEAU_TOKEN_NAME", "ci")
    monkeypatch.setenv("TABLEAU_TOKEN_SECRET", "s3cret")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with served(Site(datasources={"Weather, refreshed": "Weather"})) as site:
        yield site


@pytest.fixture
def settings(site: Site, tmp_path: Path) -> Settings:
    (tmp_path / "etltctl.toml").write_text(on_sample(f"version = 1\n{DATASOURCES}"))
    flags: dict[str, Any] = {
        "tableau.server": site.url,
        "tableau.site": "lake",
        "state": str(tmp_path / "state"),
    }
    return load_settings(flags=flags, env="local", environ={}, directory=tmp_path)


def hyper_file(folder: Path, size: int) -> Path:
    file = folder / "days.hyper"
    file.write_bytes(random.Random(7).randbytes(size))
    return file


def test_a_published_file_replaces_the_earlier_one(site: Site, settings: Settings, tmp_path: Path) -> None:
    file = hyper_file(tmp_path, 5000)
    done = publish_file(file, settings, project="Weather")
    (sent,) = site.published
    assert (done.id, done.name, done.project) == ("ds-days", "days", "Weather")
    assert (sent["name"], sent["project"], sent["content"]) == ("days", "Weather", file.read_bytes())
    assert sent["query"] == {"datasourceType": "hyper", "overwrite": "true"}


def test_a_file_above_64_mb_is_sent_in_chunks(site: Site, settings: Settings, tmp_path: Path) -> None:
    file = hyper_file(tmp_path, 65 * 2**20)
    publish_file(file, settings, name="big")
    (chunks,) = site.chunks.values()
    assert len(chunks) == 2
    assert site.published[0]["content"] == file.read_bytes()


@pytest.mark.parametrize("path", ["/projects", "/datasources", "/upload0"])
def test_an_expired_sign_in_is_renewed_once(
    site: Site, settings: Settings, tmp_path: Path, path: str
) -> None:
    site.expire_at = path
    file = hyper_file(tmp_path, 65 * 2**20 if path == "/upload0" else 100)
    publish_file(file, settings)
    assert site.signed_in == 2
    assert [sent["content"] for sent in site.published] == [file.read_bytes()]


def test_a_wrong_site_is_named(site: Site, settings: Settings) -> None:
    wrong = settings.model_copy(update={"tableau": settings.tableau.model_copy(update={"site": "lakes"})})
    with pytest.raises(AccessError, match=r"site lakes.*Signin Error") as raised:
        refresh_datasource("weather", wrong)
    assert "tableau.site" in raised.value.hint


def test_a_missing_project_is_named_with_the_existing_ones(
    site: Site, settings: Settings, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError, match="0 projects are called Wether") as raised:
        publish_file(hyper_file(tmp_path, 10), settings, project="Wether")
    assert "known: Weather, default" in raised.value.hint
    site.refuse["POST /datasources"] = RefusalError(
        404, "404005", "Not found", "Project 'id-Weather' not found"
    )
    with pytest.raises(ConfigurationError, match="404005"):
        publish_file(hyper_file(tmp_path, 10), settings, project="Weather")


def test_a_data_source_in_another_project_is_reported(site: Site, settings: Settings) -> None:
    with pytest.raises(
        ConfigurationError, match="0 data sources are called Weather, refreshed in project default"
    ) as raised:
        refresh_datasource("weather", settings, project="default")
    assert "Weather" in raised.value.hint


@pytest.mark.parametrize(
    ("name", "words"), [("days.csv", "is none of .hyper"), ("gone.hyper", "is not there")]
)
def test_a_file_that_is_not_an_extract_is_refused(
    settings: Settings, tmp_path: Path, name: str, words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words):
        publish_file(tmp_path / name, settings)


def test_a_missing_permission_and_a_failing_server_are_distinguished(
    site: Site, settings: Settings, tmp_path: Path
) -> None:
    file = hyper_file(tmp_path, 10)
    site.refuse["POST /datasources"] = RefusalError(403, "403004", "Forbidden", "no permission to publish")
    with pytest.raises(AccessError, match="no permission to publish"):
        publish_file(file, settings)
    site.refuse["POST /datasources"] = RefusalError(500, "500000", "Internal", "oops")
    with pytest.raises(ServiceError) as raised:
        publish_file(file, settings)
    assert raised.value.is_open
    unreachable = settings.tableau.model_copy(update={"server": "http://127.0.0.1:1"})
    with pytest.raises(UnreachableError, match=r"127\.0\.0\.1:1 did not answer"):
        publish_file(file, settings.model_copy(update={"tableau": unreachable}))


def test_an_unset_server_and_a_missing_token_are_named(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TABLEAU_TOKEN_SECRET")
    with pytest.raises(ConfigurationError, match=r"tableau\.token_secret is env:TABLEAU_TOKEN_SECRET"):
        refresh_datasource("weather", settings)
    unset = settings.tableau.model_copy(update={"server": ""})
    with pytest.raises(ConfigurationError, match=r"tableau\.server is not set"):
        refresh_datasource("weather", settings.model_copy(update={"tableau": unset}))


def test_a_refresh_is_polled_until_it_ends(site: Site, settings: Settings) -> None:
    verb, job = refresh_datasource("weather", settings, wait=True)
    assert (verb, job.id, job.status, job.state) == (Verb.STARTED, "job-1", "Success", State.SUCCEEDED)
    assert sum("GET" in each and "/jobs/job-1" in each for each in site.requests) == 3


def test_without_wait_the_job_is_reported_and_left_alone(site: Site, settings: Settings) -> None:
    verb, job = refresh_datasource("Weather, refreshed", settings, project="Weather")
    assert (verb, job.status) == (Verb.STARTED, "Pending")
    assert not any("/jobs/" in each for each in site.requests)


def test_a_refresh_that_fails_says_why(site: Site, settings: Settings) -> None:
    site.job_words = ["InProgress", "Failed"]
    with pytest.raises(
        RunFailedError, match=r"job-1 of Weather, refreshed ended Failed: the database is away"
    ):
        refresh_datasource("weather", settings, wait=True)


def test_an_already_queued_refresh_is_adopted_and_polled(site: Site, settings: Settings) -> None:
    site.already_queued = True
    site.listed_jobs = [("job-7", "Other", "InProgress"), ("job-9", "Weather, refreshed", "Pending")]
    verb, job = refresh_datasource("weather", settings, wait=True)
    assert (verb, job.id, job.status) == (Verb.ADOPTED, "job-9", "Success")


def test_an_already_queued_refresh_that_is_not_listed_is_still_a_success(
    site: Site, settings: Settings
) -> None:
    site.already_queued = True
    verb, job = refresh_datasource("weather", settings, wait=True)
    assert (verb, job.id, job.status) == (Verb.ADOPTED, "", "Pending")
    result = run_alone(Step("tableau", "weather"), settings)
    assert (result.verb, result.remote_id) == (Verb.ADOPTED, "")


def test_a_job_that_does_not_end_is_polled_only_until_the_timeout_of_the_settings(
    site: Site, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.job_words = ["InProgress"]
    monkeypatch.setattr("etltctl.pipeline.tableau_step._waiter", lambda _: _impatient())
    with pytest.raises(WaitTimeoutError, match="job-1"):
        refresh_datasource("weather", settings, wait=True)


def _impatient() -> Any:
    from etltctl.waiting import Waiter

    return Waiter(timeout=0.05, first_pause=0.01)


def test_a_step_of_a_pipeline_refreshes_and_a_second_try_of_the_run_does_not(
    site: Site, settings: Settings
) -> None:
    (step,) = run_pipeline("show", settings, RunOptions(run_id="r1")).steps
    assert (step.verb, step.remote_id, step.facts["datasource"]) == (
        Verb.STARTED,
        "job-1",
        "Weather, refreshed",
    )
    (again,) = run_pipeline("show", settings, RunOptions(run_id="r1")).steps
    assert (again.verb, again.remote_id) == (Verb.REUSED, "job-1")
    assert sum("/refresh" in each for each in site.requests) == 1
    site.job_words = ["Failed"]
    with pytest.raises(RunFailedError):
        run_pipeline("show", settings, RunOptions(run_id="r1"))
    assert sum("/refresh" in each for each in site.requests) == 2, "a failed refresh is started again"


def test_a_run_that_refreshes_can_be_cancelled(site: Site, settings: Settings) -> None:
    services = Services(settings)
    ledger = Ledger(services.store, "r2", "local")
    ledger.append("remote.started", "tableau:weather", remote_id="job-5", service="Tableau", state="Pending")
    site.job_words = ["InProgress"]
    events = [{"run_id": "r2", "step": "tableau:weather", "type": "remote.started", "remote_id": "job-5"}]
    assert [one.status for one in cancel_run(events, settings)] == ["InProgress"]
    assert site.cancelled == ["job-5"]


def test_a_step_with_an_unknown_data_source_is_reported_with_the_most_similar(tmp_path: Path) -> None:
    text = f"version = 1\n{DATASOURCES}".replace("tableau:weather", "tableau:wether")
    (tmp_path / "etltctl.toml").write_text(on_sample(text))
    settings = load_settings(env="local", environ={}, directory=tmp_path)
    (problem,) = unknown_steps(settings)
    assert problem.endswith("did you mean tableau:weather?")
