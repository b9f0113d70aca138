"""What the account holds already and a deployment would trip over, read before anything is changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from etltctl.aws import Aws
from etltctl.errors import BlockedError
from etltctl.lakeformation import LakeFormation

if TYPE_CHECKING:
    from etltctl.infrastructure.planning import Change

LOCATION = "AWS::LakeFormation::Resource"
REGISTERS = frozenset({"add", "replace"})


def require_unregistered(aws: Aws, template: Mapping[str, Any], changes: Iterable[Change]) -> None:
    """Refuse a plan that registers a location which Lake Formation holds already.

    CloudFormation cannot take such a registration in, so its creation would fail and be rolled back.

    Args:
        aws: The account.
        template: The stack's template.
        changes: The plan's changes.

    Raises:
        BlockedError: A location is registered already.
    """
    new = [change for change in changes if change.type == LOCATION and change.action in REGISTERS]
    resources = template["Resources"]
    places = {_place(resources[change.resource]["Properties"]["ResourceArn"]["Fn::Sub"]) for change in new}
    if not places:  # most stacks govern nothing, and then Lake Formation is not called
        return
    locations = LakeFormation(aws, account="").locations()
    roles = {
        location["ResourceArn"]: str(location.get("RoleArn", "an unknown role"))
        for location in locations
        if _place(location["ResourceArn"]) in places
    }
    if not roles:
        return
    commands = [f"aws lakeformation deregister-resource --resource-arn {arn}" for arn in sorted(roles)]
    raise BlockedError(
        f"the stack would register {', '.join(sorted(roles))} with Lake Formation, where it is registered already; "
        "nothing was changed",
        hint=f"{' && '.join(commands)} && etltctl infra plan  "
        "# the data stays; Lake Formation opens it to no reader until infra deploy has registered it again",
        **{arn: f"registered with {role}" for arn, role in roles.items()},
    )


def _place(arn: str) -> str:
    """Return the bucket and path of a location's ARN, because a template leaves the partition open."""
    return arn.rpartition(":::")[2].rstrip("/")
