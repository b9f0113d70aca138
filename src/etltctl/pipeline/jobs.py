"""The step that runs a Glue job once, sees it through, and publishes the versions it wrote."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from etltctl.errors import BudgetError
from etltctl.pipeline.model import Begun, StepResult, begun_after
from etltctl.pipeline.refreshing import table_facts
from etltctl.pipeline.remotes import GlueRemote
from etltctl.pipeline.work import Found, Work, require_success
from etltctl.runs import JobRun, State, Verb


def finish_glue(work: Work, begun: Begun, run: JobRun) -> StepResult:
    """Sees the run through and publishes the versions it wrote."""
    run = _followed(work, run)
    cost = _note_cost(work, run) if begun.verb != Verb.REUSED else {}
    require_success(
        run,
        hint=f"published tables stay as they were; mend the cause, then: etltctl retry {work.ledger.run_id}",
        log="\n".join(work.services.logs.last_lines(run)) if run.state is not State.SUCCEEDED else "",
    )
    facts = _published_once(work, json.loads(run.arguments["--outputs"]))
    return StepResult(str(work.step), begun.verb, run.id, facts={**facts, **cost})


def _followed(work: Work, run: JobRun) -> JobRun:
    """The run in its final state, or the last of the retries that Glue itself made of it."""
    remote = GlueRemote(work.services, run.name, run.id)
    ended = work.see_through(run, remote, is_ours=True)
    retry = remote.successor(ended)
    if retry is None:
        return ended
    work.record_start(Found(Verb.ADOPTED, retry), GlueRemote(work.services, retry.name, retry.id))
    return _followed(replace(work, waited=0.0), retry)


def start_glue(work: Work) -> Found:
    """Starts the job once, or finds the run of it that belongs to this run id."""
    settings = work.services.settings
    job = settings.glue.jobs[work.step.name]
    lake = work.services.lake

    def arguments(failed_before: int) -> Mapping[str, str]:
        _require_budget(work)
        version = work.version(failed_before)
        return {
            "--run_id": work.ledger.run_id,
            "--inputs": json.dumps({table: lake.current_location(table) for table in job.reads}),
            "--outputs": json.dumps({table: lake.version_location(table, version) for table in job.writes}),
            "--config": json.dumps(job.config),
        }

    work.ledger.append("remote.intended", str(work.step), run_key=work.run_key)
    since = begun_after(work.ledger.run_id)
    glue = work.services.glue
    return Found(*glue.start_or_adopt(work.step.name, work.run_key, arguments, since=since))


def _require_budget(work: Work) -> None:
    """Raises BudgetError before a start that, by the job's own history, costs more than the settings allow."""
    settings = work.services.settings
    limit = settings.glue.jobs[work.step.name].max_usd
    estimate = max(work.services.glue.dpu_seconds(work.step.name), default=0.0)
    usd = _usd(estimate, settings.prices.glue_dpu_hour_usd)
    if usd:
        work.ledger.note("cost.estimate", str(work.step), usd=usd)
    if limit is not None and usd > limit:
        raise BudgetError(
            f"a run of Glue job {work.step.name} cost up to {usd:.2f} USD lately, more than {limit:.2f} USD",
            hint=f"raise glue.jobs.{work.step.name}.max_usd, or make the job smaller",
        )


def _note_cost(work: Work, run: JobRun) -> dict[str, float]:
    """What the run cost, on record; nothing where Glue bills nothing."""
    usd = _usd(run.dpu_seconds, work.services.settings.prices.glue_dpu_hour_usd)
    if not usd:
        return {}
    work.ledger.note("cost.actual", str(work.step), usd=usd, dpu_seconds=run.dpu_seconds, remote_id=run.id)
    return {"usd": usd}


def _usd(dpu_seconds: float, dpu_hour_usd: float) -> float:
    return round(dpu_seconds / 3600 * dpu_hour_usd, 4)


def _published_once(work: Work, outputs: Mapping[str, str]) -> dict[str, Any]:
    """Publishes the versions, unless this very run did so before: a newer run may have published since."""
    layer = next(iter(outputs), "").partition(".")[0]
    before = work.ledger.last(str(work.step), "publish.switched")
    if before is not None:
        return {"layer": layer, "rows": before["rows"], "tables": before["tables"]}
    published = table_facts(work.services.lake.publish(outputs, work.ledger.run_id))
    work.ledger.append("publish.switched", str(work.step), **published)
    return {"layer": layer, **published}
