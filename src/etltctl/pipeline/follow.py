"""Follow a run until it ends: from another process's events while one drives it, else by driving it on from here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from etltctl.errors import DrivenElsewhereError, UnverifiedError, command
from etltctl.ledger import Event, newest_event, read_events
from etltctl.pipeline.failures import failed, failure_class
from etltctl.pipeline.kinds import remote_run_of
from etltctl.pipeline.model import PipelineResult, Step
from etltctl.pipeline.options import RunOptions
from etltctl.pipeline.preflight import unstarted
from etltctl.pipeline.recorded_result import recorded_result, remote_runs
from etltctl.pipeline.runner import resume
from etltctl.pipeline.services import Services
from etltctl.runs import Run, State
from etltctl.waiting import Waiter

if TYPE_CHECKING:
    from etltctl.settings import Settings

POLL_S = 1.0
POLLS_BETWEEN = 5  # before the next attempt to drive the run: the process that drives it may have died
MAY_RESUME = frozenset({"", "succeeded", "detached"})  # outcomes of a step after which a run may be resumed


def watch(
    events: Sequence[Event],
    settings: Settings,
    options: RunOptions | None = None,
    *,
    before_starts: Callable[[Sequence[Step]], object] = lambda _: None,
) -> PipelineResult:
    """Wait for a run to finish and return its result. If no process drives it, take over its live steps.

    What failed is never started again; `resume` does that.

    Args:
        events: The run's events so far.
        settings: The settings.
        options: The caller's options. `on_event` is called with every further event.
        before_starts: Is called with the steps that this process would start, if any, before it drives the run.
            What it raises leaves the run as it is.

    Raises:
        RunFailedError: The run ended otherwise than well.
        AccessError: It ended because a service refused a call.
        UnverifiedError: It ended because its result is not proven.
    """
    options, run_id = options or RunOptions(), str(events[0]["run_id"])
    services, sleep = Services(settings), Waiter().sleep
    seen = len(events)

    def read_on() -> Sequence[Event]:
        nonlocal seen
        so_far = read_events(services.store, run_id)
        for event in so_far[seen:]:
            if options.on_event:
                options.on_event(event)
        seen = max(seen, len(so_far))
        return so_far

    while True:
        if result := _result_if_ended(events, services, options):
            return result
        try:
            with services.store.lease(run_id):  # the process that drove it has written its last event
                events = read_on()
            if result := _result_if_ended(events, services, options):
                return result
            before_starts(_unstarted(events))
            return resume(events, settings, options)
        except DrivenElsewhereError:
            for _ in range(POLLS_BETWEEN):
                sleep(POLL_S)
                events = read_on()
                if events[-1]["type"] == "run.finished":
                    break


def _unstarted(events: Sequence[Event]) -> Sequence[Step]:
    """Return the steps of the run that nothing has started so far."""
    named: Sequence[str] = next((event["steps"] for event in events if event.get("steps")), ())
    return unstarted(map(Step.parse, named), partial(newest_event, events), fresh=False)


def _result_if_ended(
    events: Sequence[Event], services: Services, options: RunOptions
) -> PipelineResult | None:
    """Return what the run did if it is over, None if it may be resumed; raise if it ended otherwise than well."""
    last, hint = events[-1], command("retry", events[0]["run_id"])
    step = next((e for e in reversed(events) if e["type"] in {"step.planned", "step.finished"}), last)
    outcome = (last if last["type"] == "run.finished" else step).get("outcome", "")
    if last["type"] == "run.finished" and outcome == "succeeded":
        return recorded_result(events)
    # The services are the truth: the record may end early because its process was killed.
    run = _newest_run(events, step["step"], services)
    # A step that failed here may still run there: then the result is not known yet, whatever the record says.
    if run is not None and run.state is State.RUNNING:
        if options.on_poll is not None:  # the process that drives the run shows its polls on another screen
            options.on_poll(step["step"], run)
        return None
    if outcome not in MAY_RESUME:
        known_class = failure_class(str(step.get("error", "")), str(step.get("cause", "")))
        error = UnverifiedError if outcome == "unverified" else known_class
        raise error(
            f"run {events[0]['run_id']} ended {outcome}: {step.get('error', 'no reason given')}", hint=hint
        )
    # Nothing drives the run and its remote run has failed: `watch` reports that, and starts nothing again.
    if run is not None and run.state is State.FAILED:
        raise failed(run, hint=hint)
    return None


def _newest_run(events: Sequence[Event], step: str, services: Services) -> Run | None:
    """Return the step's newest remote run as its service sees it now, or the retry that the service made of it."""
    newest = {str(started): remote_id for started, remote_id in remote_runs(events)}
    # Followed from retry to retry: the one on record may be an attempt that the service has repeated since.
    remote_id, run = newest.get(step, ""), None
    while remote_id:
        remote_run = remote_run_of(Step.parse(step), services, remote_id)
        run = remote_run.poll()
        retry = remote_run.successor(run)
        remote_id = retry.id if retry else ""
    return run
