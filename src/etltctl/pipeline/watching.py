"""Coming back to a run: driven on from here, or looked at while another process drives it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from etltctl.errors import DrivenElsewhereError, RunFailedError
from etltctl.ledger import Event, read_events
from etltctl.pipeline.model import PipelineResult, StepResult
from etltctl.pipeline.running import take_up
from etltctl.pipeline.services import Services
from etltctl.pipeline.wishes import Wish
from etltctl.waiting import Waiter

if TYPE_CHECKING:
    from etltctl.settings import Settings

LOOK_S = 1.0
LOOKS_BETWEEN = 5  # attempts to drive the run: whoever drives it may have died


def watch(events: Sequence[Event], settings: Settings, wish: Wish | None = None) -> PipelineResult:
    """The run's result, once it has ended: gone on with from here, or told by whoever drives it.

    Raises what the run itself raises, RunFailedError if it ended otherwise than well elsewhere.
    """
    wish, told, run_id = wish or Wish(), len(events), str(events[0]["run_id"])
    store, sleep = Services(settings).store, Waiter().sleep
    while True:
        try:
            return take_up(events, settings, wish)
        except DrivenElsewhereError:
            for _ in range(LOOKS_BETWEEN):
                events = read_events(store, run_id)
                for event in events[told:]:
                    if wish.on_event:
                        wish.on_event(event)
                if len(events) > told and events[-1]["type"] == "run.finished":
                    return _ended(events)
                told = max(told, len(events))
                sleep(LOOK_S)


def _ended(events: Sequence[Event]) -> PipelineResult:
    """What became of a run that another process drove to its end."""
    last, run_id = events[-1], str(events[0]["run_id"])
    finished = [event for event in events if event["type"] == "step.finished"]
    if last["outcome"] != "succeeded":
        failed = next((event for event in reversed(finished) if event["outcome"] != "succeeded"), last)
        raise RunFailedError(
            f"run {run_id} ended {last['outcome']} elsewhere: {failed.get('error', 'no reason given')}",
            hint=f"etltctl runs show {run_id}",
        )
    done = {event["step"]: event for event in finished}
    steps = [
        StepResult(step, event["verb"], event["remote_id"], event["seconds"]) for step, event in done.items()
    ]
    return PipelineResult(str(events[0].get("pipeline", "")), run_id, last["seconds"], steps)
