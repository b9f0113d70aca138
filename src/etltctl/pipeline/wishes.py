"""What the caller wants of a run, beyond what the settings say."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from etltctl.errors import UsageError
from etltctl.ledger import Event
from etltctl.pipeline.model import Step
from etltctl.pipeline.work import OnInterrupt, always_stop

Listener = Callable[[Event], None]


@dataclass(frozen=True)
class Wish:
    """What the caller wants of a run, beyond what the settings say.

    `run_id` takes up an earlier run; `fresh` starts its work again, whatever came of it, and with `fresh_for` only once
    for whatever that names; `first`, `last` and `only` name steps (`kind:name`, the name, or a kind there is one step
    of); `max_usd` is the most the whole run may cost; `on_interrupt` decides what becomes of remote work.
    """

    run_id: str = ""
    fresh: bool = False
    first: str = ""
    last: str = ""
    only: str = ""
    fresh_for: str = ""
    max_usd: float | None = None
    on_interrupt: OnInterrupt = field(default=always_stop, repr=False)
    on_event: Listener | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Raises UsageError for a most that is none."""
        if self.max_usd is not None and not 0 <= self.max_usd < math.inf:
            raise UsageError(f"max_usd is {self.max_usd}", hint="name an amount of US dollars, 0 or more")

    @property
    def options(self) -> dict[str, Any]:
        """What the run keeps for those who resume it; only what the caller set."""
        return {} if self.max_usd is None else {"max_usd": self.max_usd}

    def of(self, walk: Sequence[Step]) -> list[Step]:
        """The steps that are wanted, in their order; raises UsageError for one that is not there."""
        if self.only:
            if self.first or self.last:
                raise UsageError("--only names one step; --from and --to do not go with it")
            return [_named(self.only, walk)]
        first = walk.index(_named(self.first, walk)) if self.first else 0
        last = walk.index(_named(self.last, walk)) if self.last else len(walk) - 1
        if first > last:
            raise UsageError(f"step {self.first} comes after {self.last}", hint=told(walk))
        return list(walk[first : last + 1])


def _named(name: str, walk: Sequence[Step]) -> Step:
    named = [step for step in walk if name in (str(step), step.name)]
    found = named or [step for step in walk if name == step.kind]
    if len(found) != 1:
        what = f"step {name} could be any of {len(found)}" if found else f"there is no step {name}"
        raise UsageError(what, hint=told(walk))
    return found[0]


def told(walk: Sequence[Step]) -> str:
    """The steps there are, for whoever named another."""
    return f"the steps are {', '.join(map(str, walk))}"
