"""OpenLineage's events of a run: for each start and end of a try, of the run and of every step with datasets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState

from etltctl.observers.lineage import facets
from etltctl.observers.lineage.datasets import DatasetName, Datasets
from etltctl.observers.lineage.origin import NamedRun, Origin
from etltctl.observers.lineage.tries import Change, Transition, Try, transitions
from etltctl.observers.observer import LineageOf
from etltctl.values import TableName

if TYPE_CHECKING:
    from etltctl.ledger import Event

RUN_IDS = uuid5(NAMESPACE_URL, "urn:etltctl:openlineage-run")
PIPELINE, AUDIT = "pipeline", "audit"
ASSERTIONS = "dataQualityAssertions"


@dataclass(frozen=True)
class _Above:
    """The run directly above a run, and the run at the top; None for one that is not known."""

    parent: NamedRun | None
    root: NamedRun | None


@dataclass(frozen=True)
class _Moved:
    """The datasets that a run reads and writes."""

    inputs: Sequence[InputDataset] = ()
    outputs: Sequence[OutputDataset] = ()


@dataclass(frozen=True)
class RunEvents:
    """The maker of a run's OpenLineage events. It asks no service, except for columns that no contract has.

    Attributes:
        datasets: The datasets of the environment.
        lineage_of: Returns what a step reads and writes.
    """

    datasets: Datasets
    lineage_of: LineageOf

    def of(self, events: Sequence[Event], *, only_newest: bool = False) -> Iterator[RunEvent]:
        """Yield the OpenLineage events of a run.

        Args:
            events: All events of the run so far, oldest first.
            only_newest: Whether only those count that the last of the events causes.
        """
        if not events:
            return
        run = _RunOf(self, events)
        for transition in transitions(events):
            if not only_newest or transition.at is events[-1]:
                yield from run.events_of(transition)


class _RunOf:
    """One run: what all of its events share."""

    def __init__(self, maker: RunEvents, events: Sequence[Event]) -> None:
        settings = maker.datasets.settings
        started = next((event for event in events if event["type"] == "run.started"), events[0])
        self.datasets, self.lineage_of = maker.datasets, maker.lineage_of
        self.run_id, self.env = str(events[0]["run_id"]), str(events[0].get("env", settings.env))
        self.pipeline = str(started.get("pipeline") or "unknown")
        self.project = settings.project
        self.namespace = settings.lineage.namespace or f"etltctl.{settings.project}.{self.env}"
        self.origin = Origin.of(started.get("lineage") or {})

    def events_of(self, transition: Transition) -> Iterator[RunEvent]:
        """Yield the events of a start or an end: none of a step without datasets."""
        of = transition.of
        if not of.step:
            made_current = _Moved(outputs=self._rolled_back_tables(transition))
            yield self._event(transition, self._job(""), self._id(of), self._above_run(), made_current)
            return
        inputs, outputs = self.lineage_of(of.step)
        if not (inputs or outputs):
            return
        above, moved = self._above_step(of), self._datasets_of_step(transition)
        yield self._event(transition, self._job(of.step), self._id(of), above, moved)
        yield from self._audit(transition)

    def _job(self, step: str, part: str = "") -> str:
        return ".".join(name for name in (self.pipeline, step, part) if name)

    def _id(self, of: Try, part: str = "") -> str:
        """Return the id of a try: the same in every process and every replay."""
        # Joined by NUL, which no part can hold. A run id may come from a scheduler and recur in another project.
        parts = (self.project, self.env, self.pipeline, self.run_id, of.step, str(of.number), part)
        return str(uuid5(RUN_IDS, "\0".join(parts)))

    def _above_run(self) -> _Above:
        return _Above(self.origin.parent, self.origin.root)

    def _above_step(self, of: Try) -> _Above:
        run = NamedRun(self.namespace, self._job(""), self._id(Try("", of.run_number, of.run_number)))
        return _Above(run, self.origin.root)

    def _event(self, transition: Transition, job: str, run_id: str, above: _Above, moved: _Moved) -> RunEvent:
        kind = transition.of.step.partition(":")[0] or PIPELINE
        of_run = facets.run_facets(transition)
        if above.parent is not None:
            of_run["parent"] = facets.parent_facet(above.parent, above.root)
        return RunEvent(
            eventTime=str(transition.at["ts"]),
            producer=facets.PRODUCER,
            eventType=RunState(str(transition.change)),
            run=Run(run_id, of_run),
            job=Job(self.namespace, job, facets.job_facets(kind, transition)),
            inputs=list(moved.inputs),
            outputs=list(moved.outputs),
        )

    def _datasets_of_step(self, transition: Transition) -> _Moved:
        """Return what a step reads and writes; at its successful end with the columns and what it wrote."""
        inputs, outputs = self.lineage_of(transition.of.step)
        has_columns = transition.change is Change.COMPLETE
        read = [
            InputDataset(
                name.namespace, name.name, facets=self._facets_of(name, table, has_columns=has_columns)
            )
            for name, table in self.datasets.named(inputs)
        ]
        written = [
            self._output(name, table, _published(transition, table, len(outputs)))
            for name, table in self.datasets.named(outputs)
        ]
        return _Moved(read, written)

    def _rolled_back_tables(self, transition: Transition) -> list[OutputDataset]:
        """Return the tables that the run itself made current, outside its steps: those of a rollback."""
        switched = transition.newest("publish.switched") if transition.change is Change.COMPLETE else None
        tables: Mapping[str, Any] = switched.get("tables", {}) if switched else {}
        # A refresh lists every table; those whose entry stayed the same moved nothing.
        changed = {name: facts for name, facts in tables.items() if facts.get("version")}
        return [self._output(self.datasets.table(name), name, facts) for name, facts in changed.items()]

    def _output(self, name: DatasetName, table: str, published: Mapping[str, Any]) -> OutputDataset:
        is_written = bool(published)
        of_dataset = self._facets_of(name, table, has_columns=is_written) | facets.version_facets(published)
        if table and is_written and (columns := facets.column_lineage_facet(self.datasets, table)):
            of_dataset["columnLineage"] = columns
        statistics: dict[str, Any] = {}
        if "rows" in published:
            statistics["outputStatistics"] = facets.statistics(published)
        return OutputDataset(name.namespace, name.name, statistics, facets=of_dataset)

    def _facets_of(self, name: DatasetName, table: str, *, has_columns: bool) -> dict[str, Any]:
        # Only a step that succeeded has columns that stay: before its end the contract is that of an earlier run, or
        # none, and the same events made later would differ.
        of_table = facets.table_facets(name, self.datasets.in_catalog(table), self.origin) if table else {}
        schema = facets.schema_facet(self.datasets.columns(table)) if table and has_columns else None
        return of_table | ({"schema": schema} if schema else {})

    def _audit(self, transition: Transition) -> Iterator[RunEvent]:
        """Yield the run of the checks of what a step wrote.

        OpenLineage has the results of checks at inputs only. An audit reads the tables that it checks, so it is a
        separate job below the step, and no table seems to be made of itself.
        """
        if transition.change not in (Change.COMPLETE, Change.FAIL):
            return
        if not (checked := _results_by_table(transition)):
            return
        of = transition.of
        above = _Above(NamedRun(self.namespace, self._job(of.step), self._id(of)), self.origin.root)
        for change, results in ((Change.START, dict.fromkeys(checked)), (transition.change, checked)):
            # Without the step's other events: the remote run and the statement are the step's.
            audit = Transition(change, of, transition.at, transition.events[-1:])
            tables = [
                self._checked(name, table, results[table])
                for name, table in self.datasets.named(list(results))
            ]
            yield self._event(audit, self._job(of.step, AUDIT), self._id(of, AUDIT), above, _Moved(tables))

    def _checked(self, name: DatasetName, table: str, result: Any) -> InputDataset:
        """Return a table that is audited, at the end of the audit with the results of its rules."""
        of_dataset = self._facets_of(name, table, has_columns=False)
        return InputDataset(*name, {ASSERTIONS: result} if result else {}, facets=of_dataset)


def _published(transition: Transition, table: str, count: int) -> Mapping[str, Any]:
    """Return what a step that succeeded says of one of its tables; nothing while it is under way, or if it failed."""
    if transition.change is not Change.COMPLETE:
        return {}
    end = transition.end
    if "tables" in end:
        return dict(end["tables"].get(table, {}))
    # A sync counts the rows of all its streams together, which is a table's number only if it has one.
    is_counted = count == 1 and isinstance(end.get("rows"), int)
    return {"written": True, "rows": end["rows"]} if is_counted else {"written": True}


def _results_by_table(transition: Transition) -> dict[str, Any]:
    """Return the results of the rules by table: those of a publish, or those that stopped it."""
    tables: Mapping[str, Mapping[str, Any]] = transition.end.get("tables") or {}
    broken = [event for event in transition.events if event["type"] == "check.result"]
    named = dict.fromkeys([*tables, *(str(event["table"]) for event in broken)])
    results = {}
    for table in named:
        rules = tables.get(table, {}).get("rules", ())
        own = [event for event in broken if event["table"] == table]
        if TableName.is_one(table) and (rules or own):
            results[table] = facets.assertions_facet(rules, own)
    return results
