"""One step of one run at work: its start on record, its progress followed, its end on an interrupt decided."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TypeVar, cast

from etltctl.errors import DetachedError, EtltctlError, RunFailedError
from etltctl.ledger import Ledger
from etltctl.pipeline.model import Step, run_key
from etltctl.pipeline.remotes import Remote
from etltctl.pipeline.services import Services
from etltctl.runs import Run, State, Verb

R = TypeVar("R", bound=Run)

STOP, DETACH = "stop", "detach"
OnInterrupt = Callable[
    [Run, bool], str
]  # the run that goes on, whether somebody may be asked → `stop` or `detach`


def always_stop(run: Run, may_ask: bool) -> str:  # noqa: ARG001 - the same shape as one that asks
    """What becomes of remote work where nobody can be asked."""
    return STOP


@dataclass(frozen=True)
class Found:
    """The remote run of a step, and what its start did; what somebody else started is not ours to stop."""

    verb: Verb
    run: Run
    is_ours: bool = True


@dataclass(frozen=True)
class Work:
    """One step of one run, and all it needs; `waited` is how long another process waited for it, in seconds."""

    pipeline: str
    step: Step
    services: Services
    ledger: Ledger
    on_interrupt: OnInterrupt = always_stop
    waited: float = 0.0

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
        run = found.run
        others = {} if found.is_ours else {"ours": False}
        with self._decided_if_interrupted(run, remote if found.is_ours else None):
            facts = {"service": run.service, "remote_id": run.id, "state": run.word}
            self.ledger.append(f"remote.{found.verb}", str(self.step), **facts, **others)

    def see_through(self, run: R, remote: Remote, *, is_ours: bool) -> R:
        """The run in its final state, its progress on record.

        An interrupt stops it or leaves it, as `on_interrupt` says; what somebody else started goes on.
        """
        if run.state is not State.RUNNING:
            return run
        look = cast(Callable[[], R], remote.look)
        with self._decided_if_interrupted(run, remote if is_ours else None):
            waiter = replace(remote.waiter(), waited=self.waited)
            return waiter.wait(run, look, on_look=self._progress())

    def _progress(self) -> Callable[[Run], None]:
        """Records a look only when the service's word changed; a word nobody knows is warned about once."""
        seen: set[str] = set()

        def on_look(run: Run) -> None:
            if run.word in seen:
                return
            seen.add(run.word)
            self.ledger.note("step.progress", str(self.step), remote_id=run.id, state=run.word)
            if not run.is_known:
                text = f"{run.service} reports the unknown state {run.word}; waiting on"
                self.ledger.note("warning.degraded", str(self.step), message=text)

        return on_look

    @contextmanager
    def _decided_if_interrupted(self, run: Run, remote: Remote | None) -> Iterator[None]:
        try:
            yield
        except (KeyboardInterrupt, SystemExit) as interrupt:
            step = str(self.step)
            if remote is None:
                text = f"{run.id} goes on: it is not of this run"
                self.ledger.note("warning.degraded", step, message=text)
                raise
            if self.on_interrupt(run, isinstance(interrupt, KeyboardInterrupt)) == DETACH:
                self.ledger.note("remote.detached", step, remote_id=run.id, detached_by="interrupt")
                raise DetachedError(
                    f"detached: {run.service} run {run.id} of {run.name} goes on",
                    hint=f"come back to it: etltctl runs watch {self.ledger.run_id}",
                ) from interrupt
            try:
                remote.stop()
                self.ledger.note("remote.stopped", step, remote_id=run.id, stopped_by="interrupt")
            except EtltctlError as error:
                text = f"{run.id} may go on: {error.message}"
                self.ledger.note("warning.degraded", step, message=text)
            raise


def failed(run: Run, *, hint: str, **facts: object) -> RunFailedError:
    """The error of a run that ended otherwise than well."""
    reason = f": {run.reason}" if run.reason else ""
    return RunFailedError(
        f"{run.service} run {run.id} of {run.name} ended {run.word}{reason}", hint=hint, **facts
    )


def require_success(run: Run, *, hint: str, **facts: object) -> None:
    """Raises RunFailedError unless the service's own word for the run's end means success."""
    if run.state is not State.SUCCEEDED:
        raise failed(run, hint=hint, **facts)
