"""The step kind `tableau`: publishes a new extract of a table, or refreshes a data source on Tableau's server."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from etltctl.errors import NextStep, command
from etltctl.extracting import Selection, write_table
from etltctl.logs import LogLine
from etltctl.permissions import Permission, Requirements
from etltctl.pipeline.failures import require_success
from etltctl.pipeline.model import StepHandle, StepResult
from etltctl.pipeline.services import Services
from etltctl.pipeline.step_kind import EmitLines, StepKind, StepLine, rows_text
from etltctl.pipeline.step_run import StartedRun, StepRun
from etltctl.pipeline.step_wait import wait_for_end
from etltctl.runs import RefreshJob, Run, State, Verb
from etltctl.settings.unset_secrets import secrets_without_value
from etltctl.tableau import Datasource
from etltctl.waiting import Waiter

if TYPE_CHECKING:
    from etltctl.settings import Settings


@dataclass(frozen=True)
class RefreshRun:
    """The refresh job of a step `tableau:DATASOURCE`."""

    services: Services
    datasource: str
    id: str

    def poll(self) -> RefreshJob:
        """Return the job as Tableau sees it now."""
        return self.services.tableau.poll(self.id, self.datasource)

    def waiter(self) -> Waiter:
        """Return how to wait for the job."""
        return _waiter(self.services.settings)

    def stop(self) -> None:
        """Ask Tableau to cancel the job."""
        self.services.tableau.cancel(self.id)

    def successor(self, ended: Run) -> None:
        """Return None: Tableau does not repeat a refresh by itself."""


class TableauStep(StepKind):
    """The step kind `tableau:DATASOURCE`."""

    name: ClassVar[str] = "tableau"
    service: ClassVar[str] = RefreshJob.service
    thing: ClassVar[str] = "data source"

    def names(self, settings: Settings) -> Iterable[str]:
        """Return the names of the data sources."""
        return settings.tableau.datasources

    def inputs(self, name: str, settings: Settings) -> Sequence[str]:
        """Return the table of an extract; a refresh on the server reads what the server knows."""
        table = settings.tableau.datasources[name].table
        return (table,) if table else ()

    def outputs(self, name: str, settings: Settings) -> Sequence[str]:
        """Return the data source."""
        return (f"{self.thing} {name}",)

    def problems(self, name: str, settings: Settings) -> Iterator[str]:
        """Yield a problem for each half of the site's token that has no value."""
        site = settings.tableau
        secrets = {"tableau.token_name": site.token_name, "tableau.token_secret": site.token_secret}
        yield from secrets_without_value(settings, secrets)

    def permissions(
        self, name: str, refreshed: Sequence[str], required: Requirements
    ) -> Iterator[Permission]:
        """Yield what it takes to query the table of an extract; a refresh on the server needs nothing of AWS."""
        if table := required.settings.tableau.datasources[name].table:
            yield from required.querying(table)

    def start(self, step_run: StepRun) -> StartedRun | None:
        """Start a refresh, unless an earlier try of this run started one that runs or succeeded.

        Returns:
            The refresh. None for a data source that gets an extract, and for a refresh that was queued already and
            that the server does not list.
        """
        if step_run.settings.tableau.datasources[step_run.step.name].table:
            return None
        tableau = step_run.services.tableau
        datasource = tableau.find(*name_and_project(step_run.step.name, step_run.settings))
        before = step_run.last("remote.started", "remote.adopted")
        if before is not None:
            job = tableau.poll(before["remote_id"], datasource.name)
            if job.state is not State.FAILED:
                verb = Verb.ADOPTED if job.state is State.RUNNING else Verb.REUSED
                return StartedRun(verb, job, before.get("ours", True))
        # Tableau queues one refresh for each data source: a second start adopts it. It may be of another caller.
        verb, job = tableau.refresh(datasource)
        if job.id:
            return StartedRun(verb, job, verb is Verb.STARTED)
        step_run.warn(
            f"a refresh of {job.name} was queued already and the server does not list it; not waited for"
        )
        return None

    def remote_run(self, services: Services, name: str, remote_id: str) -> RefreshRun:
        """Return the refresh job of that id."""
        return RefreshRun(services, name, remote_id)

    def finish(self, step_run: StepRun, handle: StepHandle, run: RefreshJob | None) -> StepResult:
        """Publish an extract of the data source's table, or wait for the refresh that was started."""
        step = step_run.step
        if step_run.settings.tableau.datasources[step.name].table:
            return _publish_once(step_run)
        facts = {"layer": self.name, "datasource": name_and_project(step.name, step_run.settings)[0]}
        if run is None:
            return StepResult(str(step), Verb.ADOPTED, facts=facts)
        remote_run = RefreshRun(step_run.services, step.name, run.id)
        ended = wait_for_end(step_run, run, remote_run, is_ours=handle.is_ours)
        require_success(
            ended,
            hint=NextStep(
                "the lake is up to date, Tableau is not; then: ", command("retry", step_run.ledger.run_id)
            ),
        )
        return StepResult(str(step), handle.verb, ended.id, facts={**facts, "state": ended.status})

    def read_log(
        self, services: Services, name: str, remote_id: str, emit: EmitLines, *, follow: bool
    ) -> None:
        """Emit the state of the refresh; Tableau's API has no log."""
        job = services.tableau.poll(remote_id, name)
        text = f"state {job.status} {job.reason}".rstrip()
        emit([LogLine(datetime.now(UTC), "output", f"job {job.id}", text, job.state is State.FAILED)])

    def line(self, name: str, event: Mapping[str, Any]) -> StepLine:
        """Return the line with the data source."""
        change = "extract of" if event.get("tables") else "refreshed"
        return StepLine(name, rows_text(event.get("rows")), f"{change} {event['datasource']}")


def publish_file(file: Path, settings: Settings, name: str = "", project: str = "") -> Datasource:
    """Publish a .hyper, .tds or .tdsx file as a data source; replace one of the same name.

    Args:
        file: The file.
        settings: The settings.
        name: The data source's name; the file's by default.
        project: The project in Tableau; that of the settings by default.
    """
    return Services(settings).tableau.publish(file, name or file.stem, project or settings.tableau.project)


def refresh_datasource(
    name: str, settings: Settings, project: str = "", *, wait: bool = False
) -> tuple[Verb, RefreshJob]:
    """Refresh a data source, or adopt the refresh that is queued already.

    Args:
        name: The data source, by its key in the settings or by its name in Tableau.
        settings: The settings.
        project: The project in Tableau; that of the settings by default.
        wait: Whether to wait for the job to end.

    Raises:
        RunFailedError: `wait` is set, and the job did not succeed.
    """
    tableau = Services(settings).tableau
    verb, job = tableau.refresh(tableau.find(*name_and_project(name, settings, project)))
    if wait and job.id:
        job = _waiter(settings).wait(job, lambda: tableau.poll(job.id, job.name))
        require_success(
            job, hint="the data source shows what it showed before; fix the cause, then refresh again"
        )
    return verb, job


def name_and_project(key: str, settings: Settings, project: str = "") -> tuple[str, str]:
    """Return name and project in Tableau of a data source, by its key in the settings or by its name in Tableau."""
    datasource = settings.tableau.datasources.get(key)
    if datasource is None:
        return key, project or settings.tableau.project
    return datasource.name or key, project or datasource.project or settings.tableau.project


def _publish_once(step_run: StepRun) -> StepResult:
    """Replace the extract by a new one. This very run publishes it once, however often it is resumed."""
    settings, name = step_run.settings, step_run.step.name
    before = step_run.last("publish.switched")
    if before is not None:
        # A publish replaces the data source as a whole, so a second one of the same run would only cost time.
        return _publish_result(step_run, Verb.REUSED, before)
    datasource = settings.tableau.datasources[name]
    selection = Selection(str(datasource.table), datasource.where, tuple(datasource.columns))
    with tempfile.TemporaryDirectory(prefix="etltctl-") as folder:
        file, on_poll = Path(folder) / f"{name}.hyper", step_run.on_poll
        extract = write_table(
            selection,
            file,
            settings,
            step_run.services.aws,
            on_poll=partial(on_poll, str(step_run.step)) if on_poll else None,
        )
        published = step_run.services.tableau.publish(extract.file, *name_and_project(name, settings))
    tables = {selection.table: {"change": "extracted", "rows": extract.rows}}
    facts = {
        "rows": extract.rows,
        "tables": tables,
        "datasource": published.name,
        "remote_id": published.id,
    }
    step_run.append("publish.switched", **facts)
    return _publish_result(step_run, Verb.STARTED, facts)


def _publish_result(step_run: StepRun, verb: Verb, published: Mapping[str, Any]) -> StepResult:
    facts = {"layer": TableauStep.name} | {name: published[name] for name in ("rows", "tables", "datasource")}
    return StepResult(str(step_run.step), verb, published["remote_id"], facts=facts)


def _waiter(settings: Settings) -> Waiter:
    return Waiter(timeout=settings.tableau.timeout_minutes * 60)
