"""What a plan refuses because of what the account holds already, before anything is changed.

A stack takes in nothing that it did not make, unless `infra.adopt` names it. Buckets, databases, log groups and the
secret can be taken in: they stay when a stack is destroyed. A role, a job or an alarm of the same name belongs to
another stack, and CloudFormation could only fail on it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from etltctl.aws import Aws
from etltctl.cloudformation import StackResource
from etltctl.errors import BlockedError, ConfigurationError, NextStep, command
from etltctl.infrastructure.holdings import ADOPTABLE, BUCKET, CHECKED, Holding, holdings
from etltctl.infrastructure.names import Names
from etltctl.infrastructure.secret import TYPE as SECRET
from etltctl.infrastructure.secret import Secret
from etltctl.infrastructure.sizes import name_of
from etltctl.inspection import Inspection
from etltctl.lakeformation import LakeFormation

if TYPE_CHECKING:
    from etltctl.infrastructure.plan import Change

KEY, LOCATION = "AWS::KMS::Key", "AWS::LakeFormation::Resource"
REGISTERS = frozenset({"add", "replace"})
PLAN = command("infra", "plan")
MANAGED_BY_AWS = "alias/aws/"  # every role of the account may use such a key through its service


def require_room(
    aws: Aws,
    names: Names,
    resources: Mapping[str, Mapping[str, Any]],
    parameters: Mapping[str, str],
    *,
    owned: Sequence[StackResource],
    secret: Secret,
) -> bool:
    """Refuse a stack whose names are taken, or that would make a second key.

    Args:
        aws: The account.
        names: The stack's names.
        resources: The template's resources by logical id.
        parameters: The template's parameters.
        owned: What the stack has; nothing if it is new.
        secret: Airbyte's secret as it stands.

    Returns:
        Whether the stack takes in something that the account holds.

    Raises:
        BlockedError: A name is taken, or another key encrypts what the stack takes in.
    """
    own = {(each.type, _plain(each.physical_id)) for each in owned}
    named = {(str(each["Type"]), name_of(each, parameters)) for each in resources.values()}
    taken = holdings(aws, names, sorted(one for one in named - own if one[0] in CHECKED))
    if not owned and secret.is_kept:
        taken.append(Holding(SECRET, names.airbyte_secret, "project"))
    makes_key = any(each["Type"] == KEY for each in resources.values()) and KEY not in {
        kind for kind, _ in own
    }
    keys = _earlier_keys(aws, names, taken, secret) if makes_key else {}
    _require_free(names, taken, _most_used(keys))
    _require_earlier_key(keys)
    return bool(taken)


def require_adoptable(
    names: Names, resources: Mapping[str, Mapping[str, Any]], parameters: Mapping[str, str]
) -> None:
    """Refuse a name in `infra.adopt` that nothing of the stack has: a mistyped one would adopt nothing, in silence.

    Args:
        names: The stack's names.
        resources: The template's resources by logical id.
        parameters: The template's parameters.

    Raises:
        ConfigurationError: There is such a name. Each is listed with the names that are near to it.
    """
    adopted = names.settings.infra.adopt
    if adopted == "all":
        return
    known = {name_of(each, parameters) for each in resources.values() if each["Type"] in ADOPTABLE}
    known.add(names.airbyte_secret)
    place = names.settings.place_of("infra", "adopt")
    problems = [
        f"{place}: infra.adopt: {name!r}{_guess(name, known)}" for name in adopted if name not in known
    ]
    if problems:
        raise ConfigurationError(
            f"infra.adopt names what no bucket, database, log group or secret of stack {names.stack} is called; "
            "nothing was changed",
            problems=tuple(problems),
            hint=NextStep("write the names as they are on AWS, or leave them out; then: ", PLAN),
        )


def _guess(name: str, known: Collection[str]) -> str:
    near = get_close_matches(name, sorted(known), n=3)
    return f": did you mean {' or '.join(near)}?" if near else f": known are {', '.join(sorted(known))}"


def _plain(physical_id: str) -> str:
    """Return the name in a physical id. That of a topic is an ARN."""
    return physical_id.rpartition(":")[2] if physical_id.startswith("arn:") else physical_id


def _require_free(names: Names, taken: Iterable[Holding], key: str) -> None:
    """Refuse a stack whose names are taken by what it did not make and was not asked to adopt.

    Args:
        names: The stack's names.
        taken: What the account holds under these names.
        key: The key that encrypts what could be adopted, if it is not the stack's own; else empty.

    Raises:
        BlockedError: A name is taken. Each is listed with its setting, and the hint has the line to write.
    """
    adopted = names.settings.infra.adopt
    refused = [one for one in taken if not (one.is_adoptable and (adopted == "all" or one.name in adopted))]
    if not refused:
        return
    labels = ", ".join(one.label for one in refused)
    raise BlockedError(
        f"stack {names.stack} did not make what has these names already: {labels}; nothing was changed",
        hint=_hint(names, refused, key),
        **{one.label: one.advice for one in refused},
    )


def _hint(names: Names, refused: list[Holding], key: str) -> NextStep:
    """Return the lines that adopt what an earlier stack left, and the settings that name something else."""
    adopted = names.settings.infra.adopt
    earlier = [] if adopted == "all" else list(adopted)
    mine = list(dict.fromkeys([*earlier, *(one.name for one in refused if one.is_adoptable)]))
    quoted = ", ".join(f'"{name}"' for name in mine)
    settings = ", ".join(dict.fromkeys(one.setting for one in refused if not one.is_adoptable))
    hints = [f"name others in {settings}"] if settings else []
    if any(one.is_adoptable for one in refused):
        with_key = f' and key_arn = "{key}"' if ":key/" in key else ""
        hints.append(
            f"if they are this project's, write into etltctl.toml under [env.{names.settings.env}.infra]: "
            f"adopt = [{quoted}]{with_key}"
        )
    return NextStep(f"{'; '.join(hints)}; then: ", PLAN)


def _earlier_keys(aws: Aws, names: Names, taken: Iterable[Holding], secret: Secret) -> Mapping[str, str]:
    """Return the keys that encrypt what a stack takes in, by thing; none that AWS manages.

    A key has no name by which CloudFormation could take it in. Without `infra.key_arn` a stack makes a second key, and
    its roles could not read what the first one encrypts.
    """
    buckets = [one.name for one in taken if one.type == BUCKET and one.is_adoptable]
    keys = {f"bucket {bucket}": _key_of_bucket(aws, bucket) for bucket in buckets}
    keys[f"secret {names.airbyte_secret}"] = secret.key
    return {thing: key for thing, key in keys.items() if key and MANAGED_BY_AWS not in key}


def _most_used(keys: Mapping[str, str]) -> str:
    """Return the key that encrypts most; empty if there is none. `infra.key_arn` takes one key."""
    every = list(keys.values())
    return max(every, key=every.count) if every else ""


def _require_earlier_key(keys: Mapping[str, str]) -> None:
    """Refuse a stack that makes a key although an earlier one encrypts what the stack takes in.

    Args:
        keys: What `_earlier_keys` returned.

    Raises:
        BlockedError: There is an earlier key.
    """
    if not keys:
        return
    key = _most_used(keys)
    hint = (
        NextStep(f'set infra.key_arn = "{key}" in etltctl.toml, then: ', PLAN)
        if ":key/" in key
        else "set infra.key_arn in etltctl.toml to what this prints: "
        f"aws kms describe-key --key-id {key} --query KeyMetadata.Arn"
    )
    raise BlockedError(
        f"the stack would make a new key, but another key encrypts {', '.join(keys)}: the roles of the stack "
        "could not read what is there; nothing was changed, and the data stays as it is",
        hint=hint,
        **keys,
    )


def _key_of_bucket(aws: Aws, bucket: str) -> str:
    """Return the key of a bucket's default encryption; empty if it has none of KMS."""
    answer = Inspection(aws).read("s3", "get_bucket_encryption", {"Bucket": bucket}, bucket=bucket)
    if answer is None:
        return ""
    rules = answer["ServerSideEncryptionConfiguration"]["Rules"]
    defaults = [rule.get("ApplyServerSideEncryptionByDefault", {}) for rule in rules]
    return next((str(one["KMSMasterKeyID"]) for one in defaults if one.get("KMSMasterKeyID")), "")


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
        hint=NextStep(
            f"{' && '.join(commands)} && ",
            PLAN,
            "  # the data stays; Lake Formation opens it to no reader until infra deploy has registered it again",
        ),
        **{arn: f"registered with {role}" for arn, role in roles.items()},
    )


def _place(arn: str) -> str:
    """Return the bucket and path of a location's ARN, because a template leaves the partition open."""
    return arn.rpartition(":::")[2].rstrip("/")
