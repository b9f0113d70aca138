"""Plan and apply: desired against actual, and on until they are the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from etltctl.aws import Aws, Identity
from etltctl.catalog import Catalog
from etltctl.errors import BlockedError, ConfigurationError, UnverifiedError, UsageError
from etltctl.governance.actual import Reading, read_catalog, read_state, with_tags_in_use
from etltctl.governance.applying import Applier, require_changeable
from etltctl.governance.changes import changes
from etltctl.governance.checking import problems, warnings
from etltctl.governance.desired import desired_state, scope_of
from etltctl.governance.model import State
from etltctl.governance.needs import Finding, lacking
from etltctl.governance.ordering import Change
from etltctl.lakeformation import LakeFormation

if TYPE_CHECKING:
    from etltctl.settings import Settings

ROUNDS = 4  # a change of a database's tag may uncover an override that looked inherited

HINT = "add [governance.zones.NAME] to etltctl.toml; docs/governance.md has an example to begin with"


@dataclass(frozen=True)
class Plan:
    """What must change, what to beware of, and what the pipelines' own principals would lack afterwards."""

    changes: tuple[Change, ...]
    warnings: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def takes_away(self) -> bool:
        """Whether somebody may lose something by it."""
        return any(change.takes_away for change in self.changes)

    def as_dict(self) -> dict[str, Any]:
        """Plain data, as printed by `-o json`."""
        return {
            "changes": [change.as_dict() for change in self.changes],
            "warnings": list(self.warnings),
            "findings": [finding.as_dict() for finding in self.findings],
        }

    def text(self) -> str:
        """The same for people: a line a change, then what is wrong."""
        width = max((len(change.phase) for change in self.changes), default=0)
        lines = [f"  {change.sign} {change.phase:<{width}}  {change.text}" for change in self.changes]
        lines += [f"  ! {told}" for told in (*self.warnings, *map(str, self.findings))]
        return "\n".join([*lines, self.summary()])

    def summary(self) -> str:
        """How much there is to do."""
        count = len(self.changes)
        if not count:
            return "Lake Formation is as the settings say: no changes."
        return f"{count} {'change' if count == 1 else 'changes'}, nothing touched."


@dataclass(frozen=True)
class Governor:
    """The services that governance speaks to, and who is asking."""

    settings: Settings
    service: LakeFormation
    catalog: Catalog
    identity: Identity

    @classmethod
    def of(cls, settings: Settings) -> Governor:
        """The governor of the settings' account; raises UsageError where nothing is governed."""
        if not settings.governance.is_configured:
            raise UsageError("no governance is configured", hint=HINT)
        aws = Aws.from_settings(settings)
        identity = aws.identity()
        return cls(settings, LakeFormation(aws, identity.account), Catalog(aws), identity)

    def read(self) -> tuple[State, Reading]:
        """Desired and actual; raises ConfigurationError with every place that the catalog contradicts."""
        view = read_catalog(self.settings, self.catalog)
        if found := tuple(dict.fromkeys(problems(self.settings, view))):
            count = "1 problem" if len(found) == 1 else f"{len(found)} problems"
            raise ConfigurationError(f"{count} in the governance settings", problems=found)
        reading = read_state(self.service, view, scope_of(self.settings, self.identity))
        admins = reading.state.admins or frozenset()
        desired = desired_state(self.settings, self.identity, view, admins)
        return desired, with_tags_in_use(reading, desired, self.service)

    def plan(self) -> Plan:
        """The changes from actual to desired, and what to beware of."""
        return self._planned(*self.read())

    def apply(self, consent: Consent, on_change: Callable[[Change], None]) -> int:
        """Makes the changes until none is left; returns how many were made.

        Raises BlockedError where a round finds what nobody agreed to, UnverifiedError if differences stay.
        """
        applier = Applier(self.service, self.catalog, self.identity.principal, on_change)
        made = 0
        for _ in range(ROUNDS):
            desired, reading = self.read()
            planned = self._planned(desired, reading)
            if not planned.changes:
                return made
            consent.require(planned, made)
            require_changeable(planned.changes, reading.state.locations)
            applier.apply(planned.changes)
            made += len(planned.changes)
        left = self.plan().changes
        if left:
            raise UnverifiedError(
                f"Lake Formation accepted every change and still differs in {len(left)}",
                hint="etltctl govern plan  # shows the difference; apply may be run again",
                first=left[0].text,
            )
        return made

    def _planned(self, desired: State, reading: Reading) -> Plan:
        return Plan(
            changes(desired, reading.state, reading.scope),
            tuple(dict.fromkeys(warnings(self.settings, reading, desired, self.identity))),
            tuple(lacking(self.settings, self.identity, desired, reading)),
        )


@dataclass
class Consent:
    """What somebody agreed to. Whatever else takes away, or any change of a protected environment, is asked for."""

    confirm: Callable[[Plan], bool]
    is_protected: bool
    agreed: set[tuple[str, str]] = field(default_factory=set)

    def require(self, planned: Plan, made: int = 0) -> None:
        """Asks about what the plan has beyond what was agreed to; raises BlockedError if the answer is no."""
        new = {
            (change.phase, change.text)
            for change in planned.changes
            if change.takes_away or self.is_protected
        } - self.agreed
        if not new:
            return
        if not self.confirm(planned):
            count = "1 change" if made == 1 else f"{made} changes"
            so_far = f"{count} made, then no more" if made else "nothing was changed"
            why = "the plan takes something away" if planned.takes_away else "the environment is protected"
            raise BlockedError(
                f"{so_far}: {why} and nobody agreed to it",
                hint="look at etltctl govern plan, then: etltctl govern apply --yes",
            )
        self.agreed |= new


def plan(settings: Settings) -> Plan:
    """What must change for Lake Formation to be as the settings say; touches nothing.

    Raises ConfigurationError with the place of everything that cannot be meant, UsageError if nothing is governed.
    """
    return Governor.of(settings).plan()


def apply(
    settings: Settings,
    *,
    confirm: Callable[[Plan], bool],
    on_change: Callable[[Change], None],
) -> int:
    """Makes Lake Formation as the settings say and returns the number of changes made; 0 makes no write call.

    `confirm` is asked where somebody may lose something or the environment is protected, and again whenever Lake
    Formation turns out to need what it did not agree to; BlockedError if it says no.
    Raises UnverifiedError if differences stay. What was done before an error stays done; a second run goes on.
    """
    governor = Governor.of(settings)
    consent = Consent(confirm, settings.protected)
    planned = governor.plan()
    if not planned.changes:
        return 0
    consent.require(planned)
    return governor.apply(consent, on_change)
