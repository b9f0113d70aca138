"""A plan: the changes that lead from what is to what the settings say, in the order in which they are made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar


class Change(Protocol):
    """One change of a plan, of any service."""

    @property
    def sign(self) -> str:
        """`+` adds, `~` changes, `±` replaces, `=` adopts, `-` removes."""

    @property
    def label(self) -> str:
        """The kind of thing or of change, which is the first column of a printed plan."""

    @property
    def text(self) -> str:
        """What is changed, and how."""

    @property
    def details(self) -> tuple[str, ...]:
        """Lines below the text: fields that differ, and reasons why the change needs consent."""

    @property
    def takes_away(self) -> bool:
        """Whether access or data may be lost by it, so that the caller must agree to it first."""

    def as_dict(self) -> dict[str, object]:
        """Return plain data without secrets, as printed by `-o json`."""


# Covariant, so that a plan of one service's changes can be printed by code that knows `Change` alone.
C_co = TypeVar("C_co", bound=Change, covariant=True)


@dataclass(frozen=True)
class Plan(Generic[C_co]):
    """The changes of one service, in the order in which they are made.

    `subject` is the service as a sentence names it, such as "Lake Formation".
    """

    subject: str
    changes: tuple[C_co, ...]
    warnings: tuple[str, ...] = ()

    @property
    def takes_away(self) -> bool:
        """Whether access or data may be lost by a change."""
        return any(change.takes_away for change in self.changes)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not self.changes

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know besides the changes."""
        return self.warnings

    def as_dict(self) -> dict[str, object]:
        """Return plain data, as printed by `-o json`."""
        changes = [change.as_dict() for change in self.changes]
        return {"changes": changes, "warnings": list(self.warnings)}

    def text(self) -> str:
        """Return the plan as people read it: the changes, the notes, and how many changes there are."""
        return "\n".join([*lines(self.changes), *(f"  ! {note}" for note in self.notes), self.summary()])

    def summary(self) -> str:
        """Return how much there is to do."""
        if self.is_empty:
            return outcome(self.subject, 0)
        return f"{count(len(self.changes))}, nothing touched."


def outcome(subject: str, number: int) -> str:
    """Return what an apply did, after it has made `number` changes."""
    return f"{f'{count(number)} made' if number else 'Nothing to change'}: {subject} is as the settings say."


def lines(changes: Sequence[Change], width: int = 0) -> list[str]:
    """Return the changes as people read them: sign, label and text in columns, the details below.

    Args:
        changes: The changes.
        width: The least width of the labels' column, for changes that are printed one by one.
    """
    # The text of a change may be long, so only the first columns are aligned.
    width = max((width, *(len(change.label) for change in changes)))
    return [
        line
        for change in changes
        for line in (
            f"  {change.sign} {change.label:<{width}}  {change.text}".rstrip(),
            *(f"      {detail}" for detail in change.details),
        )
    ]


def count(number: int) -> str:
    """Return "1 change" or "7 changes"."""
    return f"{number} {'change' if number == 1 else 'changes'}"
