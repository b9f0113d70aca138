"""Plan: compare what the settings say with what Lake Formation holds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from etltctl import plans
from etltctl.aws import Aws, Identity
from etltctl.catalog import Catalog
from etltctl.errors import ConfigurationError, NextStep, UsageError, command
from etltctl.governance.actual import Reading, read_catalog, read_state, with_tags_in_use
from etltctl.governance.changes import Change
from etltctl.governance.contradictions import contradictions, warnings
from etltctl.governance.desired import desired_state, scope_of
from etltctl.governance.model import State
from etltctl.governance.needs import CatalogChanges, needs_of
from etltctl.governance.order import ordered_changes
from etltctl.governance.unmet_needs import MissingPermission, missing_after
from etltctl.lakeformation import LakeFormation

if TYPE_CHECKING:
    from etltctl.settings import Settings

EXAMPLE = Path("docs/examples/governance.toml")
HINT = (
    'add [governance.zones.NAME] to etltctl.toml; the page "Governing the lake" has an example to begin with'
)


@dataclass(frozen=True)
class Plan(plans.Plan[Change]):
    """The changes of Lake Formation, and what the pipelines' own principals would lack after them."""

    missing: tuple[MissingPermission, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """The warnings, and the permissions that would be lacking."""
        return (*self.warnings, *map(str, self.missing))

    def as_dict(self) -> dict[str, object]:
        """Return plain data, as printed by `-o json`."""
        return {
            **super().as_dict(),
            "findings": [permission.as_dict() for permission in self.missing],
        }


def _first_step() -> NextStep:
    """Return how to begin with governance: the ready-made example where it is within reach, as in the checkout."""
    if not EXAMPLE.is_file():
        return NextStep(HINT)
    example = command("--config", EXAMPLE, "govern", "plan")
    return NextStep(example, "  # a ready-made example; [governance.zones.NAME] in etltctl.toml is your own")


@dataclass(frozen=True)
class Governor:
    """The services that governance speaks to, and the principal that calls them."""

    settings: Settings
    service: LakeFormation
    catalog: Catalog
    identity: Identity

    @classmethod
    def of(cls, settings: Settings) -> Governor:
        """Return the governor of the settings' account; raise UsageError if no layer is governed."""
        if not settings.governance.is_configured:
            raise UsageError("no governance is configured", hint=_first_step())
        aws = Aws.from_settings(settings)
        identity = aws.identity()
        return cls(settings, LakeFormation(aws, identity.account), Catalog(aws), identity)

    def read(self) -> tuple[State, Reading]:
        """Return the desired state and what Lake Formation holds.

        Raises:
            ConfigurationError: The catalog contradicts the settings. The error names every place.
        """
        view = read_catalog(self.settings, self.catalog)
        # Before Lake Formation is read: the settings must be corrected whatever it holds.
        if problems := tuple(dict.fromkeys(contradictions(self.settings, view))):
            number = len(problems)
            raise ConfigurationError(
                f"{number} {'problem' if number == 1 else 'problems'} in the governance settings",
                problems=problems,
            )
        # The whole account is read, because grants of other principals decide what may be dropped.
        reading = read_state(self.service, view, scope_of(self.settings, self.identity))
        admins = reading.state.admins or frozenset()
        desired = desired_state(self.settings, self.identity, view, admins)
        return desired, with_tags_in_use(reading, desired, self.service)

    def plan(self, steps: Iterable[CatalogChanges]) -> Plan:
        """Return the changes from actual to desired, with warnings and the permissions that the steps would lack.

        Args:
            steps: What the steps of the pipelines change in the catalog.
        """
        desired, reading = self.read()
        needs = needs_of(steps, self.settings, self.identity.principal)
        return Plan(
            "Lake Formation",
            ordered_changes(desired, reading.state, reading.scope),
            tuple(dict.fromkeys(warnings(self.settings, reading, desired, self.identity))),
            tuple(missing_after(needs, self.settings, desired, reading)),
        )


def plan(settings: Settings, steps: Sequence[CatalogChanges] = ()) -> Plan:
    """Return what must change for Lake Formation to be as the settings say. Nothing is written.

    Args:
        settings: The settings.
        steps: What the steps of the pipelines change in the catalog. The plan warns of permissions that the caller
            would lack for them.

    Raises:
        ConfigurationError: The catalog contradicts the settings. The error names every place.
        UsageError: No layer is governed.
    """
    return Governor.of(settings).plan(steps)
