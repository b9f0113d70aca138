"""What a pipeline is made of: steps, what each did, and the names by which a run is found again."""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from etltctl.errors import DetachedError, UnverifiedError, UsageError, unknown
from etltctl.runs import Run, Verb

if TYPE_CHECKING:
    from etltctl.settings import Settings

T = TypeVar("T")
CLOCKS_DIFFER = timedelta(hours=1)


@dataclass(frozen=True)
class Step:
    """One step of a pipeline, written `kind:name`: `sync:SOURCE`, `glue:JOB`, `athena:refresh`, `tableau:NAME`."""

    kind: str
    name: str

    @classmethod
    def parse(cls, text: str) -> Step:
        """The step that `kind:name` means."""
        kind, _, name = text.partition(":")
        return cls(kind, name)

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"


@dataclass(frozen=True)
class Begun:
    """A step that was begun: what of it runs remotely, as plain data with which another process can go on.

    `began` is in seconds since 1970. A step that runs nothing remotely has no `remote_id`; what somebody else started
    is not `is_ours` to stop.
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
    def waited(self) -> float:
        """How long ago the step was begun, in seconds."""
        return max(now() - self.began, 0.0)

    def as_dict(self) -> dict[str, Any]:
        """Plain data: `Begun(**begun.as_dict())` is the same again."""
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
        """Plain data, as printed by `-o json` and handed on by Airflow."""
        told = {
            "step": self.step,
            "verb": str(self.verb),
            "remote_id": self.remote_id,
            "seconds": self.seconds,
        }
        return told | self.facts


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
    """Seconds since 1970, which mean the same in every process."""
    return datetime.now(UTC).timestamp()


def ran_s(run: Run) -> float:
    """How long the run has gone on, in seconds, by the service's word for its start; 0 where there is none."""
    return max(now() - run.began.timestamp(), 0.0) if run.began else 0.0


def steps(pipeline: str, settings: Settings) -> list[Step]:
    """The steps of the pipeline, in their order."""
    no_file = "no etltctl.toml was found, so the shipped defaults are used"
    hint = "" if settings.file else f"{no_file}; known: {', '.join(settings.pipelines)}"
    return [Step.parse(text) for text in known(settings.pipelines, pipeline, "pipeline", hint).steps]


def new_run_id(pipeline: str, at: datetime | None = None) -> str:
    """Return a run id that sorts by time and can be said aloud: `20261123-0305-mongodb-k7qf`.

    Args:
        pipeline: What the run is of.
        at: When the run begins; now if it is None.
    """
    tail = "".join(random.SystemRandom().choices("abcdefghjkmnpqrstuvwxyz23456789", k=4))
    return f"{(at or datetime.now(UTC)).astimezone(UTC):%Y%m%d-%H%M}-{pipeline.replace('_', '-')}-{tail}"


def begun_after(run_id: str) -> datetime | None:
    """A moment before anything of the run began, where its id tells; None for an id of somebody else's making."""
    match = re.fullmatch(r"(\d{8}-\d{4})-.+-[a-z2-9]{4}", run_id)
    try:
        begun = datetime.strptime(match[1], "%Y%m%d-%H%M").replace(tzinfo=UTC) if match else None
    except ValueError:
        return None
    return begun - CLOCKS_DIFFER if begun and begun <= datetime.now(UTC) else None


# DAG, kind and time in UTC, as Airflow makes them: no two become the same.
AIRFLOW_RUN_ID = re.compile(
    r"[A-Za-z0-9._-]*__\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00(_\w+)?", re.ASCII
)


def safe_run_id(run_id: str) -> str:
    """The run id with a `-` for whatever may not stand in a path, such as the colons of Airflow's run ids.

    What other ids lose by that is made up for by a digest: two that differ never name one run.
    """
    safe = re.sub(r"[^A-Za-z0-9._-]+", "-", run_id).strip("-.")
    if safe != run_id and safe and not AIRFLOW_RUN_ID.fullmatch(run_id):
        safe += "-" + hashlib.sha256(run_id.encode(errors="surrogatepass")).hexdigest()[:8]
    if run_id and not safe:
        raise UsageError(
            f"the run id {run_id!r} has no letter or digit in it", hint="leave it out to get a new one"
        )
    return safe


def run_key(env: str, pipeline: str, step: Step, run_id: str) -> str:
    """The name under which a step's remote run is found again: the same for every try of the same run."""
    return hashlib.sha256("\0".join((env, pipeline, str(step), run_id)).encode()).hexdigest()[:40]


def remote_runs(events: Iterable[Mapping[str, Any]]) -> list[tuple[Step, str]]:
    """The newest remote run of every step that these events tell of, in the order they began."""
    started = {
        event["step"]: event["remote_id"]
        for event in events
        if event["type"] in {"remote.started", "remote.adopted", "remote.reused"}
    }
    return [(Step.parse(step), remote_id) for step, remote_id in started.items()]


def outcome_of(error: BaseException) -> str:
    """The one word the ledger keeps for how a step or run ended."""
    if isinstance(error, UnverifiedError):
        return "unverified"
    if isinstance(error, DetachedError):
        return "detached"
    return (
        "failed" if isinstance(error, Exception) else "interrupted"
    )  # signals and time limits are no Exception


def known(things: Mapping[str, T], name: str, kind: str, hint: str = "") -> T:
    """The thing of that name; raises UsageError with the nearest name there is, as `errors.unknown` tells it."""
    if name in things:
        return things[name]
    raise unknown(kind, name, things, hint=hint)
