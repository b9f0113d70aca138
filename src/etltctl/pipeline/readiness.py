"""Checks before a step starts: scripts compile, secrets have values, rules match the contracts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from etltctl.errors import ConfigurationError
from etltctl.pipeline.kinds import kind_of
from etltctl.pipeline.model import Step

if TYPE_CHECKING:
    from etltctl.ledger import Event
    from etltctl.settings import Settings

HINT = "correct it, then run the same command again"


def require_ready(settings: Settings, walk: Iterable[Step]) -> None:
    """Raise if one of the steps is certain to fail for a reason that this machine can see without a service.

    A script that is not on this machine is left alone: Glue has its own copy.

    Args:
        settings: The settings.
        walk: The steps that are to start.

    Raises:
        ConfigurationError: A script of a Glue step has a syntax error, a secret has no value, or a rule names a column
            that the table does not have. It lists every problem with the place of the setting.
    """
    problems = tuple(
        dict.fromkeys(problem for step in walk for problem in kind_of(step).problems(step.name, settings))
    )
    if problems:
        why = (
            "the run would fail" if len(problems) == 1 else f"the run would fail for {len(problems)} reasons"
        )
        raise ConfigurationError(f"nothing was started: {why}", problems=problems, hint=HINT)


def unstarted(walk: Iterable[Step], last: Callable[..., Event | None], *, fresh: bool) -> list[Step]:
    """Return the steps of a run that have to start: what runs is adopted, what succeeded is reused, as it is.

    Args:
        walk: The steps.
        last: Returns a step's newest event of the types that it is called with, as `Ledger.last` does.
        fresh: Whether the work of all starts again.
    """
    return [step for step in walk if fresh or not _has_run(str(step), last)]


def _has_run(step: str, last: Callable[..., Event | None]) -> bool:
    """Return whether the step has a remote run to adopt or a result to reuse."""
    newest = last(step, "remote.started", "remote.adopted", "step.finished")
    if newest is None:
        return False
    return newest["type"] != "step.finished" or newest.get("outcome") in ("succeeded", "detached")
