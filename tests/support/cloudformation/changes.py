"""The difference between a stack and a template: each resource to add, remove, change or replace, and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from support.cloudformation.kinds import KINDS
from support.cloudformation.records import PSEUDO, Change, Resource, Stack
from support.cloudformation.templates import answered, invalid, names_in, symbolic

IsThere = Callable[[str, Mapping[str, Any]], bool]  # type, properties → whether it exists


def changes_between(
    stack: Stack, template: Mapping[str, Any], parameters: Mapping[str, str], is_there: IsThere
) -> list[Change]:
    """Return every change in the template's order, removals last; an existing resource of the same name is imported."""
    declared: Mapping[str, Any] = template["Resources"]
    unknown = sorted({facts["Type"] for facts in declared.values()} - set(KINDS))
    if unknown:
        raise invalid(f"Template format error: Unrecognized resource types: [{', '.join(unknown)}]")
    before, after = symbolic(stack.parameters, PSEUDO), symbolic(parameters, PSEUDO)
    changes: dict[str, Change] = {}
    for name, facts in declared.items():
        new = answered(facts.get("Properties", {}), after)
        if name not in stack.resources:
            is_kept = facts.get("DeletionPolicy", "Delete") != "Delete"
            action = "Import" if is_kept and is_there(facts["Type"], new) else "Add"
            changes[name] = Change(action, name, facts["Type"])
            continue
        current = stack.resources[name]
        old = answered(current.properties, before)
        if change := _change(current, facts, old, new, _differing(stack, parameters)):
            changes[name] = change
    removed = [resource for name, resource in stack.resources.items() if name not in declared]
    removals = [Change("Remove", one.logical_id, one.type, one.physical_id) for one in removed]
    return [*_with_followers(changes, stack, declared), *removals]


def _differing(stack: Stack, parameters: Mapping[str, str]) -> set[str]:
    return {name for name, value in parameters.items() if stack.parameters.get(name) != value}


def _change(
    current: Resource, facts: Mapping[str, Any], old: Any, new: Any, differing: set[str]
) -> Change | None:
    fixed = KINDS[current.type].fixed
    details, is_replaced = [], facts["Type"] != current.type
    for name in sorted(set(old) | set(new)):
        if old.get(name) == new.get(name):
            continue
        is_replaced |= name in fixed
        causes = sorted(set(names_in(facts.get("Properties", {}).get(name))) & differing)
        details.append(_detail(name, "Always" if name in fixed else "Never", causes[0] if causes else ""))
    if not details and not is_replaced:
        return None
    replacement = "True" if is_replaced else "False"
    return Change("Modify", current.logical_id, facts["Type"], current.physical_id, replacement, details)


def _with_followers(changes: dict[str, Change], stack: Stack, declared: Mapping[str, Any]) -> list[Change]:
    """Add the resources that refer to a replaced resource: they may have to change with it."""
    replaced = {name for name, change in changes.items() if change.replacement == "True"}
    for name, facts in declared.items():
        if name in changes or name not in stack.resources:
            continue
        current = stack.resources[name]
        for part, value in facts.get("Properties", {}).items():
            if causes := sorted(set(names_in(value)) & replaced):
                is_fixed = part in KINDS[current.type].fixed
                change = changes.setdefault(
                    name, Change("Modify", name, current.type, current.physical_id, "False", [])
                )
                change.replacement = "Conditional" if is_fixed else change.replacement
                change.details.append(_detail(part, "Conditionally" if is_fixed else "Never", causes[0]))
    return [changes[name] for name in declared if name in changes]


def _detail(name: str, recreation: str, cause: str) -> dict[str, Any]:
    target = {"Attribute": "Properties", "Name": name, "RequiresRecreation": recreation}
    source = {"ChangeSource": "ParameterReference", "CausingEntity": cause} if cause else {}
    return {"Target": target, "Evaluation": "Static", **(source or {"ChangeSource": "DirectModification"})}
