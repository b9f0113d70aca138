"""The operations of Lake Formation that are answered here, for the caller who asks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from etltctl.local.kernel.accounts import EVERYBODY, OWNER
from etltctl.local.kernel.api_models import service_model
from etltctl.local.kernel.json_protocol import AwsError, CallerOperation
from etltctl.local.services.lakeformation.filters import Filters
from etltctl.local.services.lakeformation.permissions import Permissions, open_by_default
from etltctl.local.services.lakeformation.resources import (
    Catalog,
    Shape,
    invalid,
    key,
    keys_of,
    parts,
    shape_of,
)
from etltctl.local.services.lakeformation.store import Records, Store
from etltctl.local.services.lakeformation.tags import Tags

MOST = 1000  # items of a page where the caller does not say how many
ADMINS = 30
PARAMETERS = {"CROSS_ACCOUNT_VERSION", "SET_SOURCE_IDENTITY"}  # what PutDataLakeSettings takes


class LakeFormationService:
    """The governance of one state folder.

    `is_principal` returns whether an identifier names a principal. `changes` counts the changes of the catalog,
    which is read again only after one.
    """

    def __init__(
        self, state: Path, catalog: Catalog, is_principal: Callable[[str], bool], changes: Callable[[], int]
    ) -> None:
        self.store = Store(state / "lakeformation.json")
        self.catalog = catalog
        self._changes, self._seen = changes, -1
        records = self.store.records
        self.tags, self.filters = Tags(records, catalog), Filters(records, catalog)
        self.permissions = Permissions(records, catalog, is_principal)

    def operations(self) -> Mapping[str, CallerOperation]:
        """Return what is answered here, by name; other operations are not modelled."""
        tags, filters, permissions = self.tags, self.filters, self.permissions
        writes: dict[str, Callable[[Shape], Shape]] = {
            "PutDataLakeSettings": self._put_settings,
            "RegisterResource": self._register,
            "UpdateResource": self._update_resource,
            "DeregisterResource": self._deregister,
            "CreateLFTag": tags.create,
            "UpdateLFTag": tags.update,
            "DeleteLFTag": tags.delete,
            "AddLFTagsToResource": tags.assign,
            "RemoveLFTagsFromResource": tags.unassign,
            "CreateDataCellsFilter": filters.create,
            "UpdateDataCellsFilter": filters.update,
            "DeleteDataCellsFilter": filters.delete,
            "GrantPermissions": permissions.grant_one,
            "RevokePermissions": permissions.revoke_one,
            "BatchGrantPermissions": lambda body: permissions.batch(body, permissions.grant),
            "BatchRevokePermissions": lambda body: permissions.batch(body, permissions.revoke),
            "CreateLakeFormationOptIn": self._opt_in,
            "DeleteLakeFormationOptIn": self._opt_out,
        }
        reads: dict[str, Callable[[Shape], Shape]] = {
            "GetDataLakeSettings": lambda _: {"DataLakeSettings": self._settings()},
            "DescribeResource": lambda body: {"ResourceInfo": self._location(body["ResourceArn"])},
            "ListResources": lambda body: _page(
                "ResourceInfoList", list(self._records.locations.values()), body
            ),
            "GetLFTag": tags.get,
            "ListLFTags": lambda body: _page("LFTags", tags.every(), body),
            "GetResourceLFTags": tags.of_resource,
            "SearchDatabasesByLFTags": lambda body: _page("DatabaseList", tags.databases(body), body),
            "SearchTablesByLFTags": lambda body: _page("TableList", tags.tables(body), body),
            "GetDataCellsFilter": filters.get,
            "ListDataCellsFilter": lambda body: _page("DataCellsFilters", filters.every(body), body),
            "ListPermissions": lambda body: _page(
                "PrincipalResourcePermissions", permissions.rows(body), body
            ),
            "ListLakeFormationOptIns": lambda body: _page(
                "LakeFormationOptInsInfoList", self._opt_ins(body), body
            ),
        }
        return {name: self._reading(name, do) for name, do in reads.items()} | {
            name: self._writing(name, do) for name, do in writes.items()
        }

    @contextmanager
    def current(self) -> Iterator[Records]:
        """Yield the records, in line with the catalog, for as long as they are in use."""
        with self.store.lock:
            self._observe()
            yield self._records

    def open_new_tables(self, database: Shape) -> Shape:
        """Return a database about to be made, with the account's default for its tables where it says nothing."""
        default = self._records.settings.get("CreateTableDefaultPermissions") or []
        return {"CreateTableDefaultPermissions": default, **database}

    def give_to_maker(self, target: str, maker: str) -> None:
        """Give a database or table that was just made to the caller who made it, and not to the owner.

        The maker of a thing holds every permission on it, with the right to grant each.
        """
        with self.current() as records:
            records.grants.get(OWNER, {}).pop(target, None)
            records.grants.setdefault(maker, {})[target] = {"plain": ["ALL"], "grantable": ["ALL"]}
            self.store.keep()

    @property
    def _records(self) -> Records:
        return self.store.records

    def _reading(self, name: str, do: Callable[[Shape], Shape]) -> CallerOperation:
        def answer(body: Shape, caller: str) -> Shape:  # noqa: ARG001 - every caller may read
            _require_page(name, body)
            with self.current():
                return do(body)

        return answer

    def _writing(self, name: str, do: Callable[[Shape], Shape]) -> CallerOperation:
        def answer(body: Shape, caller: str) -> Shape:
            with self.current() as records:
                if caller not in records.admins | {OWNER}:
                    raise AwsError(
                        "AccessDeniedException",
                        f"User: {caller} is not authorized to perform: lakeformation:{name}: Required administrator",
                    )
                answered = do(body)
                self.store.keep()
                return answered

        return answer

    def _put_settings(self, body: Shape) -> Shape:
        settings = body["DataLakeSettings"]
        if len(settings.get("DataLakeAdmins") or ()) > ADMINS:
            raise invalid(f"At most {ADMINS} data lake administrators are allowed.")
        parameters = settings.get("Parameters") or {}
        if unknown := sorted(set(parameters) - PARAMETERS):
            raise invalid(f"Valid Parameters Keys are: {sorted(PARAMETERS)}, but found: {unknown}")
        self._records.settings = settings
        return {}

    def _settings(self) -> Shape:
        """Return the settings as the service shows them, with a parameter that it does not take back."""
        settings = self._records.settings
        return {**settings, "Parameters": {**(settings.get("Parameters") or {}), "SET_CONTEXT": "TRUE"}}

    def _location(self, arn: str) -> Shape:
        if arn not in self._records.locations:
            raise AwsError("EntityNotFoundException", f"Resource is not registered: {arn}")
        return self._records.locations[arn]

    def _register(self, body: Shape) -> Shape:
        arn = body["ResourceArn"]
        if arn in self._records.locations:
            raise AwsError("AlreadyExistsException", "Resource is already registered")
        if not body.get("RoleArn") and not body.get("UseServiceLinkedRole"):
            raise invalid("A role must be given, or the service-linked role be used.")
        role = (
            body.get("RoleArn")
            or f"{OWNER.rpartition(':')[0]}:role/aws-service-role/lakeformation.amazonaws.com/x"
        )
        self._records.locations[arn] = _described(arn, role, body)
        return {}

    def _update_resource(self, body: Shape) -> Shape:
        arn = body["ResourceArn"]
        if "aws-service-role" in self._location(arn)["RoleArn"]:
            raise invalid("A location registered with the service-linked role cannot be updated.")
        self._records.locations[arn] = _described(arn, body["RoleArn"], body)
        return {}

    def _deregister(self, body: Shape) -> Shape:
        self._location(body["ResourceArn"])
        del self._records.locations[body["ResourceArn"]]
        return {}

    def _opt_in(self, body: Shape) -> Shape:
        self._records.opt_ins = sorted([*self._records.opt_ins, *self._asked_opt_ins(body)])
        return {}

    def _opt_out(self, body: Shape) -> Shape:
        for opt_in in self._asked_opt_ins(body):
            if opt_in not in self._records.opt_ins:
                raise AwsError("EntityNotFoundException", "The principal has not opted in on the resource.")
            self._records.opt_ins.remove(opt_in)
        return {}

    def _asked_opt_ins(self, body: Shape) -> list[list[str]]:
        principal = body["Principal"]["DataLakePrincipalIdentifier"]
        return [[principal, target] for target in keys_of(body["Resource"], self.catalog)]

    def _opt_ins(self, body: Shape) -> list[Shape]:
        principal = (body.get("Principal") or {}).get("DataLakePrincipalIdentifier")
        return [
            {"Principal": {"DataLakePrincipalIdentifier": name}, "Resource": shape_of(target)}
            for name, target in self._records.opt_ins
            if principal in (None, name)
        ]

    def _observe(self) -> None:
        """Give new tables the default permissions; take everything from what the catalog no longer has."""
        changes = self._changes()
        if changes == self._seen:
            return
        # With the time each was made: a table that was dropped and made again is another one.
        there: dict[str, str] = {}
        is_lost, self._records.lost = self._records.lost, False
        for database in self.catalog.get_databases():
            described = self.catalog.get_database(database) or {}
            there[key("DATABASE", database)] = str(described.get("CreateTime", ""))
            is_open = not is_lost and open_by_default(described.get("CreateTableDefaultPermissions"))
            for table in self.catalog.get_tables(database):
                target = key("TABLE", database, table["Name"])
                there[target] = str(table.get("CreateTime", ""))
                self._welcome(target, there[target], is_open=is_open)
            default = self._records.settings.get("CreateDatabaseDefaultPermissions")
            target = key("DATABASE", database)
            self._welcome(target, there[target], is_open=not is_lost and open_by_default(default))
        for target in set(self._records.known) - set(there):
            self._forget(target)
        if is_lost or self._records.known != there:
            self._records.known = there
            self.store.keep()
        self._seen = changes

    def _welcome(self, target: str, created: str, *, is_open: bool) -> None:
        known = self._records.known.get(target)
        if known == created:
            return
        if known is not None:
            self._forget(target)
        self._records.grants.setdefault(OWNER, {})[target] = {"plain": ["ALL"], "grantable": ["ALL"]}
        if is_open:
            self._records.grants.setdefault(EVERYBODY, {})[target] = {"plain": ["ALL"], "grantable": []}

    def _forget(self, target: str) -> None:
        """Grants, tags, filters and opt-ins of a thing die with it."""
        kind, *names = parts(target)

        def is_of_it(other: str) -> bool:
            other_kind, *rest = parts(other)
            if other_kind in {"POLICY", "LOCATION", "CATALOG", "TAG"}:
                return False
            return rest[: len(names)] == names and (other_kind != "DATABASE" or kind == "DATABASE")

        records = self._records
        for held in records.grants.values():
            for other in [other for other in held if is_of_it(other)]:
                del held[other]
        for kept in (records.assigned, records.filters):
            for other in [other for other in kept if is_of_it(other)]:
                del kept[other]
        records.opt_ins = [opt_in for opt_in in records.opt_ins if not is_of_it(opt_in[1])]


def _described(arn: str, role: str, body: Shape) -> Shape:
    hybrid = bool(body.get("HybridAccessEnabled"))
    return {"ResourceArn": arn, "RoleArn": role, "HybridAccessEnabled": hybrid, "LastModified": time.time()}


def _require_page(operation: str, body: Shape) -> None:
    """Raise AwsError for a page larger than the API's model allows, as the service does."""
    page_size = body.get("MaxResults")
    if page_size is None:
        return
    most = (
        service_model("lakeformation")
        .operation_model(operation)
        .input_shape.members["MaxResults"]
        .metadata["max"]
    )
    if page_size > most:
        raise invalid(
            f"1 validation error detected: Value '{page_size}' at 'maxResults' failed to satisfy constraint: "
            f"Member must have value less than or equal to {most}"
        )


def _page(member: str, rows: list[Shape], body: Shape) -> Shape:
    """Return a page of a list; the token is the position of the next."""
    first = int(body.get("NextToken") or 0)
    last = first + int(body.get("MaxResults") or MOST)
    return {member: rows[first:last]} | ({"NextToken": str(last)} if last < len(rows) else {})
