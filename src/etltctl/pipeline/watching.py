"""Looking on at a run until it ends: driven on from here, or looked at while another process drives it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from etltctl.errors import DrivenElsewhereError, UnverifiedError
from etltctl.ledger import Event, read_events
from etltctl.pipeline.model import PipelineResult, Step, StepResult, remote_runs
from etltctl.pipeline.remotes import remote_of
from etltctl.pipeline.running import take_up
from etltctl.pipeline.services import Services
from etltctl.pipeline.wishes import Wish
from etltctl.pipeline.work import failed, failure_class
from etltctl.runs import Run, State
from etltctl.waiting import Waiter

if TYPE_CHECKING:
    from etltctl.settings import Settings

LOOK_S = 1.0
LOOKS_BETWEEN = 5  # attempts to drive the run: whoever drives it may have died
NO_FAILURE = frozenset({"", "succeeded", "detached"})  # outcomes after which a run may be gone on with


def watch(events: Sequence[Event], settings: Settings, wish: Wish | None = None) -> PipelineResult:
    """The run's result, once it has ended: told where it has, gone on with where nobody drives what lives of it.

    What failed is never started again, that is `take_up`'s. Raises what the run itself raises; of a run that ended
    otherwise than well RunFailedError, AccessError or UnverifiedError.
    """
    wish, told, run_id = wish or Wish(), len(events), str(events[0]["run_id"])
    services, sleep = Services(settings), Waiter().sleep

    def listen() -> Sequence[Event]:
        nonlocal told
        found = read_events(services.store, run_id)
        for event in found[told:]:
            if wish.on_event:
                wish.on_event(event)
        told = max(told, len(found))
        return found

    while True:
        if result := _ended(events, services):
            return result
        try:
            with services.store.lease(run_id):  # who drove it until now has written its last word
                events = listen()
            return _ended(events, services) or take_up(events, settings, wish)
        except DrivenElsewhereError:
            for _ in range(LOOKS_BETWEEN):
                sleep(LOOK_S)
                events = listen()
                if events[-1]["type"] == "run.finished":
                    break


def _ended(events: Sequence[Event], services: Services) -> PipelineResult | None:
    """What the run did if it is over, None if it may be gone on with; raises if it ended otherwise than well."""
    last, hint = events[-1], f"etltctl retry {events[0]['run_id']}"
    step = next((e for e in reversed(events) if e["type"] in {"step.planned", "step.finished"}), last)
    outcome = (last if last["type"] == "run.finished" else step).get("outcome", "")
    if last["type"] == "run.finished" and outcome == "succeeded":
        return _result(events)
    run = _newest_run(events, step["step"], services)
    if run is not None and run.state is State.RUNNING:
        return None
    if outcome not in NO_FAILURE:
        kind = UnverifiedError if outcome == "unverified" else failure_class(str(step.get("error", "")))
        raise kind(
            f"run {events[0]['run_id']} ended {outcome}: {step.get('error', 'no reason given')}", hint=hint
        )
    if run is not None and run.state is State.FAILED:
        raise failed(run, hint=hint)
    return None


def _newest_run(events: Sequence[Event], step: str, services: Services) -> Run | None:
    """The step's newest remote run as its service sees it now, or the retry that the service made of it."""
    known = {str(started): remote_id for started, remote_id in remote_runs(events)}
    remote_id, run = known.get(step, ""), None
    while remote_id:
        remote = remote_of(Step.parse(step), services, remote_id)
        run = remote.look()
        retry = remote.successor(run)
        remote_id = retry.id if retry else ""
    return run


def _result(events: Sequence[Event]) -> PipelineResult:
    done = {event["step"]: event for event in events if event["type"] == "step.finished"}
    steps = [
        StepResult(step, event["verb"], event["remote_id"], event["seconds"]) for step, event in done.items()
    ]
    return PipelineResult(
        str(events[0].get("pipeline", "")), str(events[0]["run_id"]), events[-1]["seconds"], steps
    )
