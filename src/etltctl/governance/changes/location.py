"""Registered locations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from etltctl.errors import NextStep, ServiceError, command
from etltctl.governance.changes.change import Change, Phase
from etltctl.governance.model import SERVICE_LINKED, Location, State
from etltctl.governance.writer import Writer


@dataclass(frozen=True)
class RegisterLocation(Change):
    """A location that is registered, or registered otherwise than it is; `before` is how it is registered now."""

    arn: str
    location: Location
    before: Location | None = None
    phase = Phase.REGISTER

    @property
    def sign(self) -> str:
        """`+` for a location that is not registered yet."""
        return "+" if self.before is None else "~"

    @property
    def text(self) -> str:
        """The location and the role that reads it."""
        return f"location {self.arn} read as {self.location.role}{', hybrid' if self.location.hybrid else ''}"

    def refusal(self) -> ServiceError | None:
        """Return the error if the location is registered with the service-linked role."""
        if self.before is None or SERVICE_LINKED not in self.before.role:
            return None
        return ServiceError(
            f"{self.arn} is registered with the service-linked role, which cannot be changed",
            hint=NextStep(
                "deregister the location in the console when no query reads it, then: ",
                command("govern", "plan"),
            ),
        )

    def apply(self, writer: Writer) -> None:
        """Register the location."""
        writer.register(self.arn, self.location, is_new=self.before is None)


def registered(desired: State, actual: State) -> Iterator[RegisterLocation]:
    """Yield the locations that are not registered as desired."""
    for arn, location in desired.locations.items():
        before = actual.locations.get(arn)
        # A registered location that the settings do not name is left: deregistering would cut off its readers.
        if before != location:
            yield RegisterLocation(arn, location, before)
