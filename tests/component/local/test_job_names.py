"""Two projects in one account: the same jobs under different prefixes, and neither sees the other's runs."""

from __future__ import annotations

from pathlib import Path

from etltctl.aws import Aws
from etltctl.glue import Glue
from etltctl.local.client.stack import describe_stack
from etltctl.runs import State, Verb
from etltctl.settings import Settings, load_settings
from etltctl.waiting import Waiter
from support.sample_settings import on_sample
from support.served import Served

QUICK = Waiter(timeout=20.0, longest=0.05)
JOB = '[glue]\njob_prefix = "{project}-"\n[glue.jobs.small]\nscript = "small.py"\n'


def project(folder: Path, name: str, server: Served) -> Settings:
    """Make a project whose stack exists on the server."""
    folder.mkdir()
    (folder / "small.py").write_text("pass\n")
    (folder / "etltctl.toml").write_text(on_sample(f'project = "{name}"\n{JOB.format(project=name)}'))
    settings = load_settings(config=folder / "etltctl.toml", env="local", environ={})
    assert server.request("POST", "stack", describe_stack(settings, {}))[0] == 200
    return settings


def test_the_same_job_and_run_key_of_two_projects_are_two_runs(
    server: Served, aws: Aws, tmp_path: Path
) -> None:
    sea, land = (
        Glue(aws, QUICK, names=project(tmp_path / name, name, server).glue.names) for name in ("sea", "land")
    )
    runs = {}
    for glue in (sea, land):
        verb, run = glue.start_or_adopt("small", "the-key", lambda _: {})
        assert (verb, run.name) == (Verb.STARTED, "small")
        runs[run.name_at_glue] = run.id
        assert [job_run.id for job_run in glue.job_runs("small")] == [run.id]
        ended = QUICK.wait(run, lambda glue=glue, run=run: glue.poll("small", run.id))
        assert (ended.name, ended.state) == ("small", State.SUCCEEDED)
    assert list(runs) == ["sea-small", "land-small"]
    assert len(set(runs.values())) == 2
    at_glue = aws.client("glue").get_job_runs(JobName="sea-small")["JobRuns"]
    assert [run["Id"] for run in at_glue] == [runs["sea-small"]]
