"""One step of one run at work: its start on record, its progress followed, its end on an interrupt decided."""

from __future__ import annotations

import os
import pwd
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar, cast

from etltctl.errors import AccessError, BudgetError, DetachedError, EtltctlError, ExitCode, RunFailedError
from etltctl.ledger import Event, Ledger
from etltctl.pipeline.model import Step, ran_s, run_key
from etltctl.pipeline.remotes import Remote
from etltctl.pipeline.services import Services
from etltctl.runs import Run, State, Verb

R = TypeVar("R", bound=Run)

STOP, DETACH = "stop", "detach"
# What the services and Hadoop's S3 client say of a refused call. Spark's own wrapper hides it: then the log has it.
REFUSAL = re.compile(
    r"AccessDenied|is not authorized to perform|Insufficient Lake Formation permission|PERMISSION_ERROR"
    r"|AccessControlException|Status Code: 40[13]\b|\bHTTP 40[13]\b|\b40[13] Forbidden|InvalidAccessKeyId|ExpiredToken"
)
WRAPPED = "Py4JJavaError"
STOPPED = frozenset({"STOPPED", "STOPPING", "cancelled"})
OnInterrupt = Callable[
    [Run, bool], str
]  # the run that goes on, whether somebody may be asked → `stop` or `detach`


def always_stop(run: Run, may_ask: bool) -> str:  # noqa: ARG001 - the same shape as one that asks
    """What becomes of remote work where nobody can be asked."""
    return STOP


class Limit(Protocol):
    """What a run may cost, in US dollars: by whose name, and how long it may still go on."""

    @property
    def usd(self) -> float:
        """The most it may cost."""

    @property
    def named(self) -> str:
        """The setting or flag that says so."""

    def seconds_left(self, run: Run) -> float:
        """How long the run may go on."""

    def usd_of(self, run: Run) -> float:
        """What the run has cost so far."""


@dataclass(frozen=True)
class Found:
    """The remote run of a step, and what its start did; what somebody else started is not ours to stop."""

    verb: Verb
    run: Run
    is_ours: bool = True

    @property
    def facts(self) -> dict[str, Any]:
        """What is kept of it on record."""
        others = {} if self.is_ours else {"ours": False}
        return {"service": self.run.service, "remote_id": self.run.id, "state": self.run.word, **others}


@dataclass(frozen=True)
class Work:
    """One step of one run, and all it needs.

    `waited` is how long another process waited for it, in seconds.
    """

    pipeline: str
    step: Step
    services: Services
    ledger: Ledger
    on_interrupt: OnInterrupt = always_stop
    waited: float = 0.0

    @property
    def max_usd(self) -> float | None:
        """The most that the whole run may cost, in US dollars, as its options on record say; None without a limit."""
        limit = self.ledger.options.get("max_usd")
        return limit if isinstance(limit, int | float) else None

    @property
    def run_key(self) -> str:
        """The name under which this step's remote run is found again by every try of this run."""
        generation = self.ledger.generation(str(self.step))
        run_id = f"{self.ledger.run_id}#{generation}" if generation else self.ledger.run_id
        return run_key(self.services.settings.env, self.pipeline, self.step, run_id)

    def version(self, failed_before: int) -> str:
        """The version this try writes: what an earlier one left behind stays where it is."""
        generation = self.ledger.generation(str(self.step))
        again = f".g{generation}" if generation else ""
        return f"{self.ledger.run_id}{again}" + (f".{failed_before + 1}" if failed_before else "")

    def record_start(self, found: Found, remote: Remote) -> None:
        """Puts on record what the start did; an interrupt stops the run or leaves it."""
        with self.decided_if_interrupted(found.run, remote if found.is_ours else None):
            self.ledger.append(f"remote.{found.verb}", str(self.step), **found.facts)

    def see_through(self, run: R, remote: Remote, *, is_ours: bool, budget: Limit | None = None) -> R:
        """The run in its final state, its progress on record.

        An interrupt stops it or leaves it, as `on_interrupt` says; what somebody else started goes on. Raises
        BudgetError once it has cost more than `budget` allows; it is stopped then.
        """
        if run.state is not State.RUNNING:
            return run
        look = cast(Callable[[], R], remote.look)
        with self.decided_if_interrupted(run, remote if is_ours else None):
            within = budget.seconds_left if budget else None
            waiter = replace(remote.waiter(), waited=self.waited, ran=ran_s(run), look_within=within)
            return waiter.wait(run, look, on_look=self._progress(remote, budget))

    def who_stopped(self, run: Run) -> str:
        """Who is on record for stopping the run, and why; where it was stopped by somebody else, how to find out."""
        if run.state is not State.FAILED or run.word not in STOPPED:
            return ""
        found = self.ledger.last(str(self.step), "remote.stopping")
        if found is None or found["remote_id"] != run.id:
            return f"not by etltctl: {run.service} or somebody else did; CloudTrail or Airbyte's log tell who"
        reason = f": {found['reason']}" if found.get("reason") else ""
        return f"by {found['stopped_by']} ({found['who']}){reason}"

    def _progress(self, remote: Remote, budget: Limit | None) -> Callable[[Run], None]:
        """Records a look only when the service's word changed; a word nobody knows is warned about once."""
        seen: set[str] = set()

        def on_look(run: Run) -> None:
            if budget is not None and run.state is State.RUNNING and not budget.seconds_left(run):
                self._stop_for(budget, run, remote)
            if run.word in seen:
                return
            seen.add(run.word)
            self.ledger.note("step.progress", str(self.step), remote_id=run.id, state=run.word)
            if not run.is_known:
                text = f"{run.service} reports the unknown state {run.word}; waiting on"
                self.ledger.note("warning.degraded", str(self.step), message=text)

        return on_look

    def _stop_for(self, budget: Limit, run: Run, remote: Remote) -> None:
        reason = f"{budget.usd_of(run):.2f} USD so far, and {budget.named} leaves {budget.usd:.2f} USD"
        stop_on_record(self.ledger, str(self.step), remote, run, by="max_usd", reason=reason)
        raise BudgetError(
            f"{run.service} run {run.id} of {run.name} was stopped: {reason}",
            hint=f"raise {budget.named}, or make the job smaller; then: etltctl retry {self.ledger.run_id}",
        )

    @contextmanager
    def decided_if_interrupted(self, run: Run, remote: Remote | None) -> Iterator[None]:
        """An interrupt stops the run or leaves it, as `on_interrupt` says; with no `remote` it is not ours to stop."""
        try:
            yield
        except BaseException as interrupt:
            if not is_interrupt(interrupt):
                raise
            if remote is None:
                self._warn(f"{run.id} goes on: it is not of this run")
            else:
                self._decide(run, remote, interrupt)
            raise

    def _decide(self, run: Run, remote: Remote, interrupt: BaseException) -> None:
        """Stops the run, or raises DetachedError where it is left; what was decided before stays."""
        step, by = str(self.step), named(interrupt)
        before = decided_before(self.ledger, step, run)
        if before is not None and before["type"] == "remote.detached":
            raise self._detached(run, interrupt) from interrupt
        if before is not None:
            self._warn(f"{run.id} is being stopped already, by {before['stopped_by']}")
            return
        if self.on_interrupt(run, isinstance(interrupt, KeyboardInterrupt)) == DETACH:
            self.ledger.note("remote.detached", step, remote_id=run.id, detached_by=by, who=who())
            raise self._detached(run, interrupt) from interrupt
        try:
            stop_on_record(self.ledger, step, remote, run, by=by)
        except EtltctlError as error:
            self._warn(f"{run.id} may go on: {error.message}")

    def _warn(self, text: str) -> None:
        self.ledger.note("warning.degraded", str(self.step), message=text)

    def _detached(self, run: Run, interrupt: BaseException) -> DetachedError:
        error = DetachedError(
            f"detached: {run.service} run {run.id} of {run.name} goes on",
            hint=f"come back to it: etltctl runs watch {self.ledger.run_id}",
        )
        if isinstance(interrupt, SystemExit):
            error.exit_code = ExitCode.TERMINATED
        return error


def decided_before(ledger: Ledger, step: str, run: Run) -> Event | None:
    """The stop or the detachment of the run that is on record, by whomever, since it was last started or adopted."""
    ledger.catch_up()
    newest = ledger.last(step, "remote.stopping", "remote.detached", "remote.started", "remote.adopted")
    decided = newest is not None and newest["type"] in {"remote.stopping", "remote.detached"}
    return newest if newest is not None and decided and newest["remote_id"] == run.id else None


def stop_on_record(ledger: Ledger, step: str, remote: Remote, run: Run, *, by: str, reason: str = "") -> None:
    """Stops the run; who wants it and why is on record before the service is asked."""
    facts = {"remote_id": run.id, "stopped_by": by, "who": who(), "reason": reason}
    facts = {name: value for name, value in facts.items() if value}
    ledger.note("remote.stopping", step, **facts)
    remote.stop()
    ledger.note("remote.stopped", step, **facts)


def who() -> str:
    """The user and the machine of this process."""
    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def is_interrupt(error: BaseException) -> bool:
    """Whether it came from outside: a signal, a scheduler's time limit; not an error."""
    return not isinstance(error, Exception | GeneratorExit)


def named(error: BaseException) -> str:
    """What broke the work off, in a word: an interrupt, SIGTERM, or the kind of error."""
    if isinstance(error, KeyboardInterrupt):
        return "interrupt"
    return "SIGTERM" if isinstance(error, SystemExit) else type(error).__name__


def failed(run: Run, *, hint: str, **facts: object) -> EtltctlError:
    """Build the error for a run that did not succeed: AccessError where a service refused it what it needed."""
    reason = f": {run.reason}" if run.reason else ""
    said = f"{run.reason}\n{facts.get('log', '')}" if WRAPPED in run.reason else run.reason
    return failure_class(said)(
        f"{run.service} run {run.id} of {run.name} ended {run.word}{reason}", hint=hint, **facts
    )


def failure_class(reason: str) -> type[EtltctlError]:
    """Return the class of the error of a run that ended for this reason: a refusal has its own exit code."""
    return AccessError if REFUSAL.search(reason) else RunFailedError


def require_success(run: Run, *, hint: str, **facts: object) -> None:
    """Raise RunFailedError, or AccessError for a refusal, unless the service's status of the run means success."""
    if run.state is not State.SUCCEEDED:
        raise failed(run, hint=hint, **facts)
