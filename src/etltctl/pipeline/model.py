"""What a pipeline consists of: its steps, what is known of a step that was started, and what each step did."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from etltctl.errors import DetachedError, Hint, NextStep, UnverifiedError, command, unknown
from etltctl.runs import Run, Verb

if TYPE_CHECKING:
    from etltctl.publishing import Published
    from etltctl.settings import Settings

T = TypeVar("T")
UNKNOWN_START = "unknown"  # in the event of a step that failed although its start may have started a run


@dataclass(frozen=True)
class Step:
    """One step of a pipeline, written `kind:name`: `sync:SOURCE`, `glue:JOB`, `sql:NAME`, `athena:refresh`."""

    kind: str
    name: str

    @classmethod
    def parse(cls, text: str) -> Step:
        """Return the step that `kind:name` means."""
        kind, _, name = text.partition(":")
        return cls(kind, name)

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"


@dataclass(frozen=True)
class StepHandle:
    """A step that was started, as plain data with which another process can wait for it and finish it.

    `began` is in seconds since 1970. A step that runs nothing remotely has no `remote_id`. With `is_ours` false
    another party started the remote run, so etltctl does not stop it.
    """

    pipeline: str
    step: str
    run_id: str
    began: float
    verb: str = ""
    remote_id: str = ""
    is_ours: bool = True
    is_running: bool = False

    @property
    def elapsed(self) -> float:
        """How long ago the step was started, in seconds."""
        return max(now() - self.began, 0.0)

    def as_dict(self) -> dict[str, Any]:
        """Return plain data; `StepHandle(**handle.as_dict())` equals the handle."""
        return asdict(self)


@dataclass(frozen=True)
class StepResult:
    """What a step did: the verb of its start, the remote run's id, and its facts, ready for JSON."""

    step: str
    verb: str = ""
    remote_id: str = ""
    seconds: float = 0.0
    facts: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return plain data, as `-o json` prints it and Airflow passes it on."""
        common = {
            "step": self.step,
            "verb": str(self.verb),
            "remote_id": self.remote_id,
            "seconds": self.seconds,
        }
        return common | self.facts


@dataclass(frozen=True)
class PipelineResult:
    """What a whole run did."""

    pipeline: str
    run_id: str
    seconds: float
    steps: list[StepResult]
    had_succeeded: bool = False  # before this try

    @property
    def is_reused(self) -> bool:
        """Whether the run had already succeeded, and nothing was started."""
        verbs = [step.verb for step in self.steps if step.verb]
        return self.had_succeeded and bool(verbs) and all(verb == Verb.REUSED for verb in verbs)


def now() -> float:
    """Return the seconds since 1970, which mean the same in every process."""
    return datetime.now(UTC).timestamp()


def ran_s(run: Run) -> float:
    """Return how long the run has gone on, in seconds, by the service's start time; 0 if the service has none."""
    return max(now() - run.began.timestamp(), 0.0) if run.began else 0.0


def steps_as_written(pipeline: str, settings: Settings) -> list[Step]:
    """Return the steps of the pipeline in their order, whether a kind of step has them or not."""
    no_file = "no etltctl.toml here or above, so the sample lake is used"
    hint: Hint = "" if settings.file else f"{no_file}; known: {', '.join(settings.pipelines)}"
    if not settings.pipelines:
        hint = NextStep("add a source with its pipeline: ", command("source", "add", pipeline))
    return [Step.parse(text) for text in known(settings.pipelines, pipeline, "pipeline", hint).steps]


def steps_hint(walk: Iterable[Step]) -> str:
    """Return the hint for a caller that named a step which does not exist."""
    return f"the steps are {', '.join(map(str, walk))}"


def table_facts(published: Sequence[Published]) -> dict[str, Any]:
    """Return as plain data: the rows of all tables, for each table its change, rows, version, rules and warnings."""
    tables = {
        table.table: {"change": table.change, "rows": table.rows} | _details(table) for table in published
    }
    return {"rows": sum(table.rows for table in published), "tables": tables}


def _details(published: Published) -> dict[str, Any]:
    partitions = {name: count for name, count in asdict(published.partitions).items() if count}
    details = {
        "version": published.version,
        "files": published.files,
        "bytes": published.size,
        "audit": published.row_counts,
        "rules": list(published.rules),
        "partitions": partitions,
        "retired": list(published.retired),
        "warnings": list(published.warnings),
    }
    return {name: value for name, value in details.items() if value}


def outcome_of(error: BaseException) -> str:
    """Return the one word that the ledger keeps for how a step or run ended."""
    if isinstance(error, UnverifiedError):
        return "unverified"
    if isinstance(error, DetachedError):
        return "detached"
    # Signals and a scheduler's time limits are not an `Exception`.
    return "failed" if isinstance(error, Exception) else "interrupted"


def known(things: Mapping[str, T], name: str, kind: str, hint: Hint = "") -> T:
    """Return the thing of that name.

    Args:
        things: The things by name.
        name: The name that the caller gave.
        kind: What such a thing is called, for the error.
        hint: What to do next; by default the error lists the known names.

    Raises:
        UsageError: There is no such thing. It suggests the nearest name.
    """
    if name in things:
        return things[name]
    raise unknown(kind, name, things, hint=hint)
