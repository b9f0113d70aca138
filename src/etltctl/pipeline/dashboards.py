"""The optional last step: what Tableau shows is brought up to date, by a new extract or by a refresh on its server."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from etltctl.extracting import Selection, write_table
from etltctl.pipeline.model import Begun, StepResult
from etltctl.pipeline.remotes import RefreshRemote
from etltctl.pipeline.services import Services
from etltctl.pipeline.work import Found, Work, require_success
from etltctl.runs import RefreshJob, State, Verb
from etltctl.tableau import Datasource
from etltctl.waiting import Waiter

if TYPE_CHECKING:
    from etltctl.settings import Settings


def start_refresh(work: Work) -> Found | None:
    """The refresh that an earlier try of this run started, if it lives or succeeded; else one more.

    None for a data source that gets an extract published, and for a refresh that was queued already and is not listed.
    """
    if work.services.settings.tableau.datasources[work.step.name].table:
        return None
    tableau, step = work.services.tableau, str(work.step)
    found = tableau.find(*named(work.step.name, work.services.settings))
    before = work.ledger.last(step, "remote.started", "remote.adopted")
    if before is not None:
        job = tableau.look_at(before["remote_id"], found.name)
        if job.state is not State.FAILED:
            verb = Verb.ADOPTED if job.state is State.RUNNING else Verb.REUSED
            return Found(verb, job, before.get("ours", True))
    verb, job = tableau.refresh(found)
    if job.id:
        return Found(verb, job, verb is Verb.STARTED)
    text = f"a refresh of {job.name} was queued already and the server does not list it; not waited for"
    work.ledger.note("warning.degraded", step, message=text)
    return None


def finish_tableau(work: Work, begun: Begun, job: RefreshJob | None) -> StepResult:
    """Publishes an extract of the data source's table, or waits for the refresh that was started."""
    wanted = work.services.settings.tableau.datasources[work.step.name]
    if wanted.table:
        return _publish_once(work)
    facts = {"layer": "tableau", "datasource": named(work.step.name, work.services.settings)[0]}
    if job is None:
        return StepResult(str(work.step), Verb.ADOPTED, facts=facts)
    remote = RefreshRemote(work.services, work.step.name, job.id)
    ended = work.see_through(job, remote, is_ours=begun.is_ours)
    require_success(
        ended, hint=f"the lake is up to date, Tableau is not; then: etltctl retry {work.ledger.run_id}"
    )
    return StepResult(str(work.step), begun.verb, ended.id, facts={**facts, "state": ended.word})


def publish_file(file: Path, settings: Settings, name: str = "", project: str = "") -> Datasource:
    """Publishes a .hyper, .tds or .tdsx as a data source, over one of the same name."""
    return Services(settings).tableau.publish(file, name or file.stem, project or settings.tableau.project)


def refresh_datasource(
    name: str, settings: Settings, project: str = "", *, wait: bool = False
) -> tuple[Verb, RefreshJob]:
    """Refreshes a data source, by its key in the settings or its name in Tableau; waits for the job if wanted.

    A refresh that is already queued is adopted. Raises RunFailedError if the job does not succeed.
    """
    tableau = Services(settings).tableau
    verb, job = tableau.refresh(tableau.find(*named(name, settings, project)))
    if wait and job.id:
        job = _waiter(settings).wait(job, lambda: tableau.look_at(job.id, job.name))
        require_success(
            job, hint="the data source shows what it showed before; fix the cause, then refresh again"
        )
    return verb, job


def named(key: str, settings: Settings, project: str = "") -> tuple[str, str]:
    """Name and project in Tableau of a key of the settings, or of a name that is none."""
    found = settings.tableau.datasources.get(key)
    if found is None:
        return key, project or settings.tableau.project
    return found.name or key, project or found.project or settings.tableau.project


def _publish_once(work: Work) -> StepResult:
    """A new extract in place of the one before; this very run publishes it once, however often it is taken up."""
    step, settings = str(work.step), work.services.settings
    before = work.ledger.last(step, "publish.switched")
    if before is not None:
        return _published(work, Verb.REUSED, before)
    wanted = settings.tableau.datasources[work.step.name]
    name, project = named(work.step.name, settings)
    selection = Selection(str(wanted.table), wanted.where, tuple(wanted.columns))
    with tempfile.TemporaryDirectory(prefix="etltctl-") as folder:
        extract = write_table(
            selection, Path(folder) / f"{work.step.name}.hyper", settings, work.services.aws
        )
        done = work.services.tableau.publish(extract.file, name, project)
    tables = {selection.table: {"change": "extracted", "rows": extract.rows}}
    facts = {"rows": extract.rows, "tables": tables, "datasource": done.name, "remote_id": done.id}
    work.ledger.append("publish.switched", step, **facts)
    return _published(work, Verb.STARTED, facts)


def _published(work: Work, verb: Verb, told: Any) -> StepResult:
    facts = {"layer": "tableau", **{name: told[name] for name in ("rows", "tables", "datasource")}}
    return StepResult(str(work.step), verb, told["remote_id"], facts=facts)


def _waiter(settings: Settings) -> Waiter:
    return Waiter(timeout=settings.tableau.timeout_minutes * 60)
