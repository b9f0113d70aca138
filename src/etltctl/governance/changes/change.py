"""One change of Lake Formation: what every kind of change answers, so that it can be ordered, simulated and made."""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import StrEnum
from typing import ClassVar

from etltctl.errors import ServiceError
from etltctl.governance.model import Resource, State
from etltctl.governance.writer import Writer


class Phase(StrEnum):
    """The kinds of change, in the order in which they are made where no access is at risk: adding before removing."""

    SETTINGS = "settings"
    REGISTER = "register"
    TAGS = "tags"
    ASSIGN = "assign"
    FILTERS = "filters"
    GRANTS = "grants"
    OPT_INS = "opt-ins"
    OPT_OUTS = "opt-outs"
    REVOKES = "revokes"
    DROP_FILTERS = "drop-filters"
    UNASSIGN = "unassign"
    DROP_TAGS = "drop-tags"


class Change(ABC):
    """One change. Each subclass is a frozen dataclass and lies in the module of what it changes."""

    phase: ClassVar[Phase]
    is_batched: ClassVar[bool] = False
    """Whether the service takes many changes of this kind in one call."""

    @property
    @abstractmethod
    def sign(self) -> str:
        """`+` only adds, `~` changes, `-` removes."""

    @property
    @abstractmethod
    def text(self) -> str:
        """The change as people read it."""

    @property
    def label(self) -> str:
        """The phase, which is the first column of a printed plan."""
        return str(self.phase)

    @property
    def details(self) -> tuple[str, ...]:
        """Nothing: the text says all."""
        return ()

    @property
    def takes_away(self) -> bool:
        """Whether a principal may lose access by it."""
        return self.sign != "+"

    def as_dict(self) -> dict[str, object]:
        """Return plain data, as printed by `-o json`."""
        return {"phase": str(self.phase), "sign": self.sign, "what": self.text}

    # What the order asks.

    @property
    def principal(self) -> str:
        """The one principal whose access changes; empty if that of several may change."""
        return ""

    @property
    def resources(self) -> tuple[Resource, ...]:
        """The resources that the change is about."""
        return ()

    @property
    def moves_rights(self) -> bool:
        """Whether existing grants give access to other things after the change."""
        return False

    def waits_for(self, other: Change) -> bool:  # noqa: ARG002
        """Return whether the other change must be made before this one in every order."""
        return False

    # What the simulation asks.

    def touches(self, thing: Resource) -> bool:  # noqa: ARG002
        """Return whether rights on the database, table, column or location may change."""
        return False

    def simulate(self, state: State) -> State:
        """Return the state after the change. A change that moves no right leaves the simulated state as it is."""
        return state

    # What apply asks.

    def refusal(self) -> ServiceError | None:
        """Return the error if the service is known to refuse the change."""
        return None

    @abstractmethod
    def apply(self, writer: Writer) -> None:
        """Make the change; a batched one is gathered and made by the writer's next flush."""
