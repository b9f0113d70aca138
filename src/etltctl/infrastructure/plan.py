"""A plan: what a deployment or a removal would do, in plain words, and the changes that would hide data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from etltctl import plans
from etltctl.cloudformation import Stack, StackResource
from etltctl.errors import BlockedError
from etltctl.infrastructure.names import logical
from etltctl.infrastructure.secret import SecretState
from etltctl.infrastructure.sizes import Cost, monthly_costs
from etltctl.infrastructure.template import Blueprint
from etltctl.settings.project_names import LAYERS

# Types that hold data, or without which data cannot be read. No deployment replaces or removes them.
DATABASE = "AWS::Glue::Database"
PROTECTED = frozenset({"AWS::S3::Bucket", DATABASE, "AWS::Glue::Table", "AWS::KMS::Key"})
SIGNS = {
    "add": "+", "import": "+", "modify": "~", "replace": "±", "may replace": "±", "remove": "-", "keep": "=",
}  # fmt: skip
COLUMNS = ("change", "resource", "type", "id", "size", "because")


@dataclass(frozen=True)
class Change:
    """The change of one resource: `add`, `import`, `modify`, `replace`, `may replace` or `remove`, and why.

    `id` is the physical id, or the name that a new resource will have; `size` is how large it will be.
    """

    action: str
    resource: str
    type: str
    id: str
    because: tuple[str, ...]
    size: str = ""

    @property
    def takes_away(self) -> bool:
        """Whether readers would lose sight of data; such a plan is refused, with or without consent."""
        return self.type in PROTECTED and self.action in {"replace", "may replace", "remove"}

    @property
    def sign(self) -> str:
        """`±` where the resource may be replaced, `?` for an action that etltctl does not know."""
        return SIGNS.get(self.action, "?")

    @property
    def label(self) -> str:
        """CloudFormation's action."""
        return self.action

    @property
    def text(self) -> str:
        """The resource, its type, and what causes the change."""
        return f"{self.resource:<28} {self.type}{'  ' if self.because else ''}{', '.join(self.because)}"

    @property
    def details(self) -> tuple[str, ...]:
        """Nothing: the text says all."""
        return ()

    def as_dict(self) -> dict[str, object]:
        """Return plain data, as printed by `-o json`."""
        values = (f"{self.sign} {self.label}", self.resource, self.type, self.id, self.size, self.because)
        return dict(zip(COLUMNS, values, strict=True))


@dataclass(frozen=True, kw_only=True)
class Plan(plans.Plan[Change]):
    """What a deployment would do. `was_made` is set if the same plan was made before.

    `secret` is the state of Airbyte's secret, which is not part of the stack.
    """

    blueprint: Blueprint
    stack: Stack | None
    change_set: str
    missing_files: tuple[str, ...]
    was_made: bool = False
    secret: SecretState = SecretState.THERE

    @property
    def is_new(self) -> bool:
        """Whether the stack does not exist yet."""
        return is_new(self.stack)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not self.changes and not self.missing_files and self.secret is SecretState.THERE

    @property
    def costs(self) -> list[Cost]:
        """The fixed costs of the stack in a month."""
        return monthly_costs(self.blueprint.names, self.blueprint.template)

    def summary(self) -> str:
        """Return the plan in one sentence."""
        name, count = self.blueprint.names.stack, Counter(change.action for change in self.changes)
        if self.is_empty:
            return f"Nothing to do: stack {name} is as the settings say."
        parts = [f"{number} to {action}" for action, number in sorted(count.items())]
        parts += [f"{len(self.missing_files)} files to upload"] if self.missing_files else []
        if self.secret is not SecretState.THERE:
            verb = "make" if self.secret is SecretState.MISSING else "restore"
            parts.append(f"secret {self.blueprint.names.airbyte_secret} to {verb}")
        return f"Stack {name}{' is new' if self.is_new else ''}: {', '.join(parts)}."

    def require_harmless(self) -> None:
        """Refuse changes that would hide data from its readers.

        Raises:
            BlockedError: There are such changes; each is named with its reason.
        """
        harmful = [change for change in self.changes if change.takes_away]
        if not harmful:
            return
        reasons = {f"{c.action} {c.resource}": f"{c.type} {c.id}: {', '.join(c.because)}" for c in harmful}
        raise BlockedError(
            f"the plan would {', '.join(reasons)}: readers would lose sight of data, so nothing was changed",
            hint=_hint_to_keep(harmful),
            **reasons,
        )


@dataclass(frozen=True, kw_only=True)
class Removal(plans.Plan[Change]):
    """What goes with the stack, as its changes, and what stays; `was_there` is unset if there is no such stack."""

    stays: tuple[Change, ...] = ()
    was_there: bool = True

    @classmethod
    def of(cls, stack: str, goes: Iterable[StackResource], stays: Iterable[StackResource]) -> Removal:
        """Return the removal of a stack's resources."""
        return cls(
            subject=stack,
            changes=tuple(_change("remove", each) for each in goes),
            stays=tuple(_change("keep", each) for each in stays),
        )

    @property
    def stack(self) -> str:
        """The stack's name."""
        return self.subject

    def as_dict(self) -> dict[str, object]:
        """Return plain data, as printed by `-o json`."""
        return {
            "stack": self.stack,
            "removed": [change.resource for change in self.changes],
            "kept": {change.resource: change.id for change in self.stays},
        }

    def text(self) -> str:
        """Return every resource that goes or stays, with its id, and how many there are of each."""
        return "\n".join([*plans.lines((*self.changes, *self.stays)), self.summary()])

    def summary(self) -> str:
        """Return how many resources would go and stay."""
        if not self.was_there:
            return f"There is no stack {self.stack}."
        return f"{len(self.changes)} resources would go and {len(self.stays)} would stay."


def _change(action: str, resource: StackResource) -> Change:
    """Return what a removal does with a resource; its id takes the place of a cause."""
    return Change(action, resource.logical_id, resource.type, resource.physical_id, (resource.physical_id,))


def _hint_to_keep(harmful: Sequence[Change]) -> str:
    """Return how to keep what a plan would take away: for databases the setting that can be pasted."""
    layers = {logical(layer, "database"): layer for layer in LAYERS}
    earlier = {layers[c.resource]: c.id for c in harmful if c.type == DATABASE and c.resource in layers}
    if not earlier:
        return "name in the settings what was named before; if data has to move, copy it first and by hand"
    databases = ", ".join(f'{layer} = "{earlier[layer]}"' for layer in LAYERS if layer in earlier)
    return f"write into etltctl.toml, under [athena]: databases = {{ {databases} }}"


def is_new(stack: Stack | None) -> bool:
    """Return whether nothing of a stack was made yet: it may have a change set that waits for its review."""
    return stack is None or stack.status == "REVIEW_IN_PROGRESS"
