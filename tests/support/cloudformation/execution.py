"""The execution of a change set, resource by resource; after a failure every change is rolled back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from support.cloudformation.kind import Clients
from support.cloudformation.kinds import KINDS
from support.cloudformation.records import PSEUDO, ChangeSet, Resource, Stack
from support.cloudformation.templates import Lookup, answered, in_order

KEPT = frozenset({"Retain", "RetainExceptOnCreate", "Snapshot"})


class ResourceFailedError(Exception):
    """The failure to create, change or remove a resource, in the words of its service."""


class Execution:
    """One change set or one deletion that runs on one stack, in a separate thread."""

    def __init__(self, stack: Stack, clients: Clients, token: str) -> None:
        self._stack = stack
        self._clients = clients
        self._token = token
        self._undo: list[tuple[Resource, Resource | None]] = []  # current resource, previous resource
        self._values: dict[str, Any] = {}

    def carry_out(self, change_set: ChangeSet) -> None:
        """Bring the stack to the state that the change set's template describes."""
        stack, is_new = self._stack, not self._stack.body
        verb = "CREATE" if is_new else "UPDATE"
        old_parameters, self._values = stack.parameters, {**change_set.parameters, **PSEUDO}
        stack.record(f"{verb}_IN_PROGRESS", self._token, reason="User Initiated")
        try:
            self._make(change_set)
        except ResourceFailedError as error:
            prefix = "" if is_new else "UPDATE_"
            reason = f"The following resource(s) failed to {verb.lower()}: [{error}]."
            stack.record(f"{prefix}ROLLBACK_IN_PROGRESS", self._token, reason=reason)
            self._values = {**old_parameters, **PSEUDO}
            self._take_back()
            stack.record(f"{prefix}ROLLBACK_COMPLETE", self._token)
            return
        stack.body, stack.parameters = change_set.body, change_set.parameters
        outputs = change_set.template.get("Outputs", {})
        stack.outputs = {name: str(answered(facts["Value"], self._lookup)) for name, facts in outputs.items()}
        if not is_new:
            stack.record("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", self._token)
            self._remove_what_is_gone(change_set.template["Resources"])
        stack.record(f"{verb}_COMPLETE", self._token)

    def delete(self) -> None:
        """Remove the stack's resources except those that the caller retains."""
        stack = self._stack
        stack.record("DELETE_IN_PROGRESS", self._token, reason="User Initiated")
        failed = []
        for resource in list(stack.resources.values())[::-1]:
            if not self._remove(resource, is_undone=False):
                failed.append(resource.logical_id)
        if failed:
            reason = f"The following resource(s) failed to delete: [{', '.join(failed)}]. "
            stack.record("DELETE_FAILED", self._token, reason=reason)
            return
        stack.record("DELETE_COMPLETE", self._token)

    def _make(self, change_set: ChangeSet) -> None:
        declared = change_set.template["Resources"]
        changes = {change.logical_id: change for change in change_set.changes if change.action != "Remove"}
        for name in in_order(declared):
            facts = declared[name]
            current = self._stack.resources.get(name)
            if name in changes:
                new = Resource(
                    name, facts["Type"], facts.get("Properties", {}), facts.get("DeletionPolicy", "Delete")
                )
                self._make_one(new, current, changes[name].action, changes[name].replacement)
            elif current is not None:
                current.properties = facts.get("Properties", {})
                current.policy = facts.get("DeletionPolicy", "Delete")

    def _make_one(self, new: Resource, current: Resource | None, action: str, replacement: str) -> None:
        kind = KINDS[new.type]
        is_update = current is not None and replacement != "True"
        verb = "IMPORT" if action == "Import" else "UPDATE" if current is not None else "CREATE"
        if is_update and current is not None:
            new.physical_id, new.attributes = current.physical_id, current.attributes
        self._stack.record(f"{verb}_IN_PROGRESS", self._token, new)
        try:
            properties = answered(new.properties, self._lookup)
            if verb == "IMPORT" and kind.find is not None:
                new.physical_id, new.attributes = kind.find(self._clients, properties)
            elif is_update and kind.update is not None:
                new.attributes = kind.update(self._clients, new.physical_id, properties) or new.attributes
            else:
                if (
                    is_update and current is not None
                ):  # the service has no update: create it again under the same name
                    kind.delete(self._clients, current.physical_id, properties)
                new.physical_id, new.attributes = kind.create(self._clients, properties)
        except self._clients.errors as error:
            reason = f"Resource handler returned message: {error}"
            self._stack.record(f"{verb}_FAILED", self._token, new, reason)
            raise ResourceFailedError(new.logical_id) from error
        self._stack.resources[new.logical_id] = new
        if verb == "IMPORT":
            if kind.update is not None:
                kind.update(self._clients, new.physical_id, properties)
            new.was_there = True
        self._undo.append((new, current))
        self._stack.record(f"{verb}_COMPLETE", self._token, new)

    def _take_back(self) -> None:
        for new, before in self._undo[::-1]:
            if before is None:
                self._remove(new, is_undone=True)
                continue
            self._stack.resources[before.logical_id] = before
            kind, properties = KINDS[before.type], answered(before.properties, self._lookup)
            if kind.update is not None:
                kind.update(self._clients, before.physical_id, properties)
            else:
                kind.delete(self._clients, before.physical_id, properties)
                kind.create(self._clients, properties)
            self._stack.record("UPDATE_COMPLETE", self._token, before)

    def _remove_what_is_gone(self, declared: Mapping[str, Any]) -> None:
        for new, before in self._undo:
            if before is not None and before.physical_id != new.physical_id:
                self._remove(replace(before), is_undone=False)
        for name in [name for name in self._stack.resources if name not in declared]:
            self._remove(self._stack.resources[name], is_undone=False)

    def _remove(self, resource: Resource, *, is_undone: bool) -> bool:
        """Remove the resource unless its policy keeps it; if that fails, record the error and keep it."""
        is_new = is_undone and not resource.was_there
        is_kept = resource.policy in KEPT and not (is_new and resource.policy == "RetainExceptOnCreate")
        if is_kept and resource.policy != "Snapshot":
            self._stack.record("DELETE_SKIPPED", self._token, resource)
        else:
            self._stack.record("DELETE_IN_PROGRESS", self._token, resource)
            try:
                properties = answered(resource.properties, self._lookup)
                KINDS[resource.type].delete(self._clients, resource.physical_id, properties)
            except self._clients.errors as error:
                self._stack.record("DELETE_FAILED", self._token, resource, str(error))
                return False
            self._stack.record("DELETE_COMPLETE", self._token, resource)
        if self._stack.resources.get(resource.logical_id) is resource:
            del self._stack.resources[resource.logical_id]
        return True

    @property
    def _lookup(self) -> Lookup:
        def value_of(name: str, member: str) -> Any:
            values = self._values or {**self._stack.parameters, **PSEUDO}
            if name in values:
                return values[name]
            if name.startswith("AWS::"):
                return {"AWS::StackName": self._stack.name, "AWS::StackId": self._stack.id}[name]
            resource = self._stack.resources.get(name)
            if resource is None:
                return ""  # removed earlier: only a removal asks for it
            return resource.attributes[member] if member else resource.physical_id

        return value_of
