"""Consent: no change that takes something away is made unless the caller agreed to exactly that change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from etltctl.errors import BlockedError, NextStep, command
from etltctl.plans.plan import Change, Plan, count

P = TypeVar("P", bound=Plan[Change])
Key = tuple[str, ...]
TAKES_AWAY = "the plan takes something away, and it was not confirmed"
PROTECTED = "the environment is protected, and the plan was not confirmed"


@dataclass
class Consent(Generic[P]):
    """The changes that the caller agreed to so far.

    Asked once before the first change is made, and again for what turns up while changes are made: another program may
    change the service at the same time.

    Args:
        confirm: Asks the caller about a plan.
        command: The command group in whose words the next step is given, such as `govern`.
        is_protected: Whether every change needs consent, also one that takes nothing away.
        reason: Why the plan needs consent, even if it lists no change; empty if its changes decide.
        review: The words of the command that shows the plan, after the group's name.
        make: The words of the command that makes its changes without a question.
    """

    confirm: Callable[[P], bool]
    command: str
    is_protected: bool = False
    reason: str = ""
    review: tuple[str, ...] = ("plan",)
    make: tuple[str, ...] = ("apply", "--yes")
    _agreed: set[Key] = field(default_factory=set)

    def require(self, plan: P, done: int = 0) -> None:
        """Ask about the changes of the plan that need consent and do not have it yet.

        Args:
            plan: The plan.
            done: How many changes were made before this plan.

        Raises:
            BlockedError: The caller did not agree. No change of this plan was made.
        """
        asks_always = self.is_protected or bool(self.reason)
        # Only what is new is asked about: a second round must not ask for what the caller has agreed to.
        new = {_key(change) for change in plan.changes if change.takes_away or asks_always} - self._agreed
        # With a reason the call itself is asked about: a stack may go although the plan lists nothing that goes.
        if not new and not self.reason:
            return
        if not self.confirm(plan):
            raise self._refusal(plan, done)
        # After the question: a caller that says no must be asked again the next time.
        self._agreed |= new

    def _refusal(self, plan: P, done: int) -> BlockedError:
        so_far = f"made so far: {count(done)}" if done else "nothing was changed"
        why = self.reason or (TAKES_AWAY if plan.takes_away else PROTECTED)
        reasons = [reason for change in plan.changes for reason in _reasons(change)]
        return BlockedError(
            f"{why}; {so_far}",
            hint=NextStep(
                "review it with ",
                command(self.command, *self.review),
                ", then: ",
                command(self.command, *self.make),
            ),
            because="\n".join(reasons) + "\n" if reasons else "",
        )


def _key(change: Change) -> Key:
    """Return what identifies a change between two plans: another round makes new objects."""
    # Details are part of it: consent to replace a thing for one reason is not consent for another.
    return (change.label, change.text, *change.details)


def _reasons(change: Change) -> list[str]:
    """Return why the change needs consent, where its details say so."""
    name = f"{change.label} {change.text}"
    return [f"{name}: {detail.removeprefix('! ')}" for detail in change.details if detail.startswith("! ")]
