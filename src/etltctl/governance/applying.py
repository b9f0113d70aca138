"""Makes changes in their order; whatever was done before a failure stays, and the next plan begins from there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from etltctl.catalog import Catalog
from etltctl.errors import ServiceError
from etltctl.governance.actual import SERVICE_LINKED, administrators
from etltctl.governance.model import EVERYBODY, Resource
from etltctl.governance.ordering import Change
from etltctl.governance.shapes import filter_shape, joined_columns, resource_shape
from etltctl.lakeformation import BATCH, LakeFormation, entry

# The parameters in the reference of DataLakeSettings. Get shows SET_CONTEXT too, and Put refuses a key that it does not
# know ("Valid Parameters Keys are: …"). Put replaces all settings, so both must be written back.
PARAMETERS = ("CROSS_ACCOUNT_VERSION", "SET_SOURCE_IDENTITY")
OPEN = [{"Principal": {"DataLakePrincipalIdentifier": EVERYBODY}, "Permissions": ["ALL"]}]


@dataclass(frozen=True)
class Applier:
    """Writes changes; `caller` is the principal that must stay an administrator."""

    service: LakeFormation
    catalog: Catalog
    caller: str
    on_change: Callable[[Change], None]

    def apply(self, changes: Sequence[Change]) -> None:
        """Makes the changes, phase by phase; raises the error of the first that fails."""
        for phase, group in groupby(changes, key=lambda change: change.phase):
            made = list(group)
            match phase:
                case "settings":
                    self._settle(made)
                case "grants" | "revokes":
                    self._move_grants(phase, made)
                case _:
                    for change in made:
                        self._make(change)
                        self.on_change(change)

    def _make(self, change: Change) -> None:
        service, key, value = self.service, change.key, change.value
        match change.phase:
            case "register":
                self._register(change)
            case "tags":
                write = service.create_tag if key[1] == "create" else service.add_tag_values
                write(key[0], sorted(value))
            case "assign":
                service.assign(self._shape(key), dict(value))
            case "unassign":
                service.unassign(self._shape(key), dict(value))
            case "filters":
                service.put_filter(filter_shape(key, value), is_new=change.sign == "+")
            case "drop-filters":
                service.delete_filter(*key.key)
            case "opt-ins":
                service.opt_in(key.principal, self._shape(key.resource))
            case "opt-outs":
                service.opt_out(key.principal, self._shape(key.resource))
            case "drop-tags":
                self._drop_tag(key, value)

    def _register(self, change: Change) -> None:
        write = self.service.register if change.sign == "+" else self.service.update_location
        write(change.key, change.value.role, hybrid=change.value.hybrid)

    def _drop_tag(self, key: tuple[str, str], values: frozenset[str]) -> None:
        if key[1] == "delete":
            self.service.delete_tag(key[0])
        else:
            self.service.remove_tag_values(key[0], sorted(values))

    def _settle(self, changes: list[Change]) -> None:
        """Reads the settings, changes what is asked, writes them back as a whole; new tables of databases after it."""
        of_account = [change for change in changes if change.key != "open_database"]
        if of_account:
            settings = _writable(self.service.settings())
            for change in of_account:
                self._change_setting(settings, change)
            self.service.put_settings(settings)
            for change in of_account:
                self.on_change(change)
        for change in changes:
            if change.key == "open_database":
                self.catalog.govern_new_tables(change.value)
                self.on_change(change)

    def _change_setting(self, settings: dict[str, Any], change: Change) -> None:
        if change.key == "admins":
            wanted = change.value | ({self.caller} & administrators(settings))
            settings["DataLakeAdmins"] = [{"DataLakePrincipalIdentifier": name} for name in sorted(wanted)]
        elif change.key == "iam_defaults":
            for member in ("CreateDatabaseDefaultPermissions", "CreateTableDefaultPermissions"):
                settings[member] = OPEN if change.value else []
        else:
            parameters = settings.setdefault("Parameters", {})
            parameters["SET_SOURCE_IDENTITY"] = str(change.value).upper()

    def _move_grants(self, phase: str, changes: list[Change]) -> None:
        """Batches of entries; a service that took some entries of a batch and refused others is told in the error."""
        move = self.service.grant if phase == "grants" else self.service.revoke
        for first in range(0, len(changes), BATCH):
            some = changes[first : first + BATCH]
            move([self._entry(change) for change in some])
            for change in some:
                self.on_change(change)

    def _entry(self, change: Change) -> dict[str, Any]:
        principal, resources = change.key
        plain, grantable = change.value
        shape = joined_columns(resources) if resources[0].kind == "column" else self._shape(resources[0])
        if change.phase == "grants":
            plain = sorted({*plain, *grantable})  # the grant option comes with the permission itself
        return entry(principal, shape, plain, grantable)

    def _shape(self, resource: Resource) -> dict[str, Any]:
        return resource_shape(resource, self.service.account)


def _writable(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings without the parameters that the service shows but does not take back."""
    shown = settings.get("Parameters") or {}
    return {**settings, "Parameters": {name: shown[name] for name in PARAMETERS if name in shown}}


def require_changeable(changes: Iterable[Change], locations: Any) -> None:
    """Raises for a location that is registered in a way that cannot be changed."""
    for change in changes:
        if change.phase == "register" and change.sign == "~" and SERVICE_LINKED in locations[change.key].role:
            raise ServiceError(
                f"{change.key} is registered with the service-linked role, which cannot be changed",
                hint="deregister the location in the console when nobody reads through it, then plan again",
            )
