"""The optional last step: what Tableau shows is brought up to date, by a new extract or by a refresh on its server."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from etltctl.extracting import Wish, write_table
from etltctl.pipeline.model import StepResult
from etltctl.pipeline.services import Services
from etltctl.pipeline.work import Work, require_success
from etltctl.runs import RefreshJob, State, Verb
from etltctl.tableau import Datasource, Tableau
from etltctl.waiting import Waiter

if TYPE_CHECKING:
    from etltctl.settings import Settings


def run_tableau(work: Work) -> StepResult:
    """Publishes an extract of the data source's table, or has the server refresh its extract."""
    wanted = work.services.settings.tableau.datasources[work.step.name]
    return _publish_once(work) if wanted.table else _refresh(work)


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
            job, hint="the data source shows what it showed before; mend the cause, then refresh again"
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
    wish = Wish(str(wanted.table), wanted.where, tuple(wanted.columns))
    with tempfile.TemporaryDirectory(prefix="etltctl-") as folder:
        extract = write_table(wish, Path(folder) / f"{work.step.name}.hyper", settings, work.services.aws)
        done = work.services.tableau.publish(extract.file, name, project)
    tables = {wish.table: {"change": "extracted", "rows": extract.rows}}
    facts = {"rows": extract.rows, "tables": tables, "datasource": done.name, "remote_id": done.id}
    work.ledger.append("publish.switched", step, **facts)
    return _published(work, Verb.STARTED, facts)


def _published(work: Work, verb: Verb, told: Any) -> StepResult:
    facts = {"layer": "tableau", **{name: told[name] for name in ("rows", "tables", "datasource")}}
    return StepResult(str(work.step), verb, told["remote_id"], facts=facts)


def _refresh(work: Work) -> StepResult:
    """The refresh that an earlier try of this run started, if it lives or succeeded; else one more."""
    tableau, step = work.services.tableau, str(work.step)
    found = tableau.find(*named(work.step.name, work.services.settings))
    before = work.ledger.last(step, "remote.started", "remote.adopted")
    job = tableau.look_at(before["remote_id"], found.name) if before and before["remote_id"] else None
    if job is not None and job.state is not State.FAILED:
        verb = Verb.ADOPTED if job.state is State.RUNNING else Verb.REUSED
    else:
        verb, job = tableau.refresh(found)
    job = _seen_through(work, tableau, verb, job)
    return StepResult(
        step, verb, job.id, facts={"layer": "tableau", "datasource": found.name, "state": job.word}
    )


def _seen_through(work: Work, tableau: Tableau, verb: Verb, job: RefreshJob) -> RefreshJob:
    if not job.id:
        text = f"a refresh of {job.name} was queued already and the server does not list it; not waited for"
        work.ledger.note("warning.degraded", str(work.step), message=text)
        return job
    ended = work.see_through(
        verb,
        job,
        lambda: tableau.look_at(job.id, job.name),
        waiter=_waiter(work.services.settings),
        stop=(lambda: tableau.cancel(job.id)) if verb is Verb.STARTED else None,
    )
    require_success(
        ended, hint=f"the lake is up to date, Tableau is not; then: etltctl retry {work.ledger.run_id}"
    )
    return ended


def _waiter(settings: Settings) -> Waiter:
    return Waiter(timeout=settings.tableau.timeout_minutes * 60)
