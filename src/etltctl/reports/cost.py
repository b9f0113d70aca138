"""The cost of a run: of each step, with its basis, and what the figures are calculated from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from etltctl.history import ESTIMATED, costs_of
from etltctl.ledger import Event
from etltctl.reports.html import Markup, element, joined
from etltctl.reports.tables import table
from etltctl.tabulating import money_text

DIGITS = 4  # after the point: a query costs less than a cent
SOURCES = (
    "Actual: the DPU seconds of Glue and the scanned bytes of Athena, as the services reported them after the work, at "
    "the prices of the settings. Athena counts at least 10 MB a query. The bill may differ: S3, logs, taxes and "
    "discounts are not in these figures."
)
ESTIMATES = (
    "Estimated: the most that one of the latest runs of the job cost; its service has reported nothing yet."
)
UNBILLED_WORK = "The work ran on this machine. It cost nothing, and nothing will be billed."


@dataclass(frozen=True)
class StepCost:
    """What a step cost, in US dollars.

    Attributes:
        basis: `actual` if the service reported the work, `estimated` if it has not.
    """

    step: str
    basis: str
    usd: float


def step_costs(events: Sequence[Event]) -> list[StepCost]:
    """Return what each step of a run cost, by basis, in the order of the record."""
    sums: dict[tuple[str, str], float] = {}
    for event, basis in costs_of(events):
        key = (str(event["step"]), basis)
        sums[key] = sums.get(key, 0.0) + float(event["usd"])
    return [StepCost(step, basis, usd) for (step, basis), usd in sums.items() if usd]


def cost_text(costs: Sequence[StepCost], *, is_billed: bool) -> str:
    """Return the cost of a whole run in a few words.

    Args:
        costs: What its steps cost.
        is_billed: Whether the services of its environment bill anything.
    """
    total = money_text(sum(one.usd for one in costs) if is_billed else None, digits=DIGITS)
    is_estimated = is_billed and any(one.basis == ESTIMATED for one in costs)
    return f"{total}, partly estimated" if is_estimated else total


def cost_section(costs: Sequence[StepCost], *, is_billed: bool) -> Markup:
    """Return the cost of each step, and what the figures mean.

    Args:
        costs: What the steps cost.
        is_billed: Whether the services of the environment bill anything.
    """
    if not is_billed:
        return element("p", UNBILLED_WORK)
    if not costs:
        return element("p", "No service has reported work with a price for this run.")
    rows = [(one.step, one.basis, money_text(one.usd, digits=DIGITS)) for one in costs]
    whole = ("all steps", "", money_text(sum(one.usd for one in costs), digits=DIGITS))
    bases = {one.basis for one in costs}
    notes = [SOURCES, *([ESTIMATES] if ESTIMATED in bases else [])]
    parts = [table("Cost of each step", ("step", "basis", "cost"), [*rows, whole], right=("cost",))]
    return joined([*parts, *(element("p", note, class_="soft") for note in notes)])
