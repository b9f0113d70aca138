"""The step that runs a Glue job once, sees it through, and publishes the versions it wrote."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from etltctl.errors import AlreadyRunningError, BudgetError
from etltctl.pipeline.budget import await_stop, bill_query, budget_of, require_budget, settle
from etltctl.pipeline.model import Begun, StepResult, begun_after
from etltctl.pipeline.occupied import told_with_holder
from etltctl.pipeline.refreshing import table_facts
from etltctl.pipeline.remotes import GlueRemote
from etltctl.pipeline.work import Found, Work, require_success
from etltctl.publishing import Finding
from etltctl.runs import JobRun, State, Verb


def finish_glue(work: Work, begun: Begun, run: JobRun) -> StepResult:
    """Sees the run through and publishes the versions it wrote."""
    try:
        run = _followed(work, run)
    except BudgetError:
        await_stop(work, run)
        settle(work)
        raise
    settle(work)
    require_success(
        run,
        hint=f"published tables stay as they were; fix the cause, then: etltctl retry {work.ledger.run_id}",
        stopped=work.who_stopped(run),
        log="\n".join(work.services.logs.last_lines(run)) if run.state is not State.SUCCEEDED else "",
    )
    facts = _published_once(work, json.loads(run.arguments["--outputs"]))
    usd = round(work.ledger.usd(str(work.step)), 4)
    cost = {"usd": usd} if usd else {}
    return StepResult(str(work.step), begun.verb, run.id, facts={**facts, **cost})


def _followed(work: Work, run: JobRun) -> JobRun:
    """The run in its final state, or the last of the retries that Glue itself made of it."""
    remote = GlueRemote(work.services, run.name, run.id)
    ended = work.see_through(run, remote, is_ours=True, budget=budget_of(work))
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
        require_budget(work)
        version = work.version(failed_before)
        outputs = {table: lake.version_location(table, version) for table in job.writes}
        lake.require_visible(outputs)
        return {
            "--run_id": work.ledger.run_id,
            "--inputs": json.dumps({table: lake.current_location(table) for table in job.reads}),
            "--outputs": json.dumps(outputs),
            "--audits": json.dumps({table: lake.audit_location(table, version) for table in job.writes}),
            "--config": json.dumps(job.config),
        }

    settle(work)
    try:
        verb, run = work.services.glue.start_or_adopt(
            work.step.name,
            work.run_key,
            arguments,
            since=begun_after(work.ledger.run_id),
            before_start=lambda: work.ledger.append("remote.intended", str(work.step), run_key=work.run_key),
        )
    except AlreadyRunningError as error:
        raise told_with_holder(work.services, error) from error.__cause__
    return Found(verb, run)


def _published_once(work: Work, outputs: Mapping[str, str]) -> dict[str, Any]:
    """Publishes the versions, unless this very run did so before: a newer run may have published since."""
    layer = next(iter(outputs), "").partition(".")[0]
    before = work.ledger.last(str(work.step), "publish.switched")
    if before is not None:
        return {"layer": layer, "rows": before["rows"], "tables": before["tables"]}
    lake = replace(
        work.services.lake,
        run_key=work.run_key,
        on_query=partial(bill_query, work),
        on_finding=partial(_note_finding, work),
    )
    published = table_facts(lake.publish(outputs, work.ledger.run_id))
    work.ledger.append("publish.switched", str(work.step), **published)
    for text in (text for table in published["tables"].values() for text in table.get("warnings", ())):
        work.ledger.note("warning.degraded", str(work.step), message=text)
    return {"layer": layer, **published}


def _note_finding(work: Work, found: Finding) -> None:
    """Puts on record which rule a version breaks, how often, and some of the rows."""
    facts = {"table": found.table, "rule": found.rule, "count": found.count, "rows": found.rows}
    work.ledger.note("check.result", str(work.step), **facts, reaction=found.reaction)
