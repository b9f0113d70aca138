"""Lake Formation: what it holds, read to the last page, and each write; a failure in an answer's body is an error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from etltctl.aws import Aws, translated
from etltctl.errors import AccessError, ServiceError

SERVICE = "lakeformation"
BATCH = 20  # entries of a batch of grants or revokes
VALUES_A_CALL = 50  # values of an LF-tag
PAGE = 1000  # of a list, unless the operation allows fewer

Shape = dict[str, Any]


@dataclass(frozen=True)
class LakeFormation:
    """Lake Formation of one account and region, in the shapes of its API."""

    aws: Aws
    account: str
    page: int = PAGE

    # reads

    def settings(self) -> Shape:
        """The data lake settings."""
        return dict(self._call("get_data_lake_settings")["DataLakeSettings"])

    def locations(self) -> list[Shape]:
        """Every registered location."""
        return list(self._pages("list_resources", "ResourceInfoList"))

    def tags(self) -> dict[str, frozenset[str]]:
        """Every LF-tag with its values."""
        return {tag["TagKey"]: frozenset(tag["TagValues"]) for tag in self._pages("list_lf_tags", "LFTags")}

    def resource_tags(self, resource: Shape) -> Shape:
        """The LF-tags shown for a database, or for a table and its columns."""
        return dict(self._call("get_resource_lf_tags", Resource=resource, ShowAssignedLFTags=True))

    def tables_tagged(self, key: str, value: str) -> list[Shape]:
        """The tables that carry the LF-tag, or a column of which does."""
        expression = [{"TagKey": key, "TagValues": [value]}]
        return list(self._pages("search_tables_by_lf_tags", "TableList", Expression=expression))

    def databases_tagged(self, key: str, value: str) -> list[Shape]:
        """The databases that carry the LF-tag."""
        expression = [{"TagKey": key, "TagValues": [value]}]
        return list(self._pages("search_databases_by_lf_tags", "DatabaseList", Expression=expression))

    def filters(self) -> list[Shape]:
        """Every data cells filter."""
        return list(self._pages("list_data_cells_filter", "DataCellsFilters"))

    def permissions(self, **asked: Any) -> list[Shape]:
        """Permissions as the service lists them: of a `Principal`, on a `Resource`, of a `ResourceType`."""
        return list(self._pages("list_permissions", "PrincipalResourcePermissions", **asked))

    def opt_ins(self) -> list[Shape]:
        """Every opt-in."""
        return list(self._pages("list_lake_formation_opt_ins", "LakeFormationOptInsInfoList"))

    # writes

    def put_settings(self, settings: Shape) -> None:
        """Replaces the data lake settings as a whole."""
        self._call("put_data_lake_settings", DataLakeSettings=settings)

    def register(self, arn: str, role: str, *, hybrid: bool) -> None:
        """Registers a location, to be read as the role."""
        self._call("register_resource", ResourceArn=arn, RoleArn=role, HybridAccessEnabled=hybrid)

    def update_location(self, arn: str, role: str, *, hybrid: bool) -> None:
        """Changes the role or the mode of a registered location."""
        self._call("update_resource", ResourceArn=arn, RoleArn=role, HybridAccessEnabled=hybrid)

    def create_tag(self, key: str, values: Sequence[str]) -> None:
        """Creates an LF-tag; values beyond the first fifty are added after it."""
        first, *rest = _chunks(values, VALUES_A_CALL)
        self._call("create_lf_tag", TagKey=key, TagValues=first)
        for more in rest:
            self._call("update_lf_tag", TagKey=key, TagValuesToAdd=more)

    def add_tag_values(self, key: str, values: Sequence[str]) -> None:
        """Adds values to an LF-tag."""
        for some in _chunks(values, VALUES_A_CALL):
            self._call("update_lf_tag", TagKey=key, TagValuesToAdd=some)

    def remove_tag_values(self, key: str, values: Sequence[str]) -> None:
        """Takes values away from an LF-tag, and so from everything that carries them."""
        for some in _chunks(values, VALUES_A_CALL):
            self._call("update_lf_tag", TagKey=key, TagValuesToDelete=some)

    def delete_tag(self, key: str) -> None:
        """Deletes an LF-tag with all its values."""
        self._call("delete_lf_tag", TagKey=key)

    def assign(self, resource: Shape, tags: Mapping[str, str]) -> None:
        """Sets LF-tags of a resource."""
        pairs = _pairs(tags)
        answer = self._call("add_lf_tags_to_resource", Resource=resource, LFTags=pairs)
        _require_none("AddLFTagsToResource", answer, "LFTag")

    def unassign(self, resource: Shape, tags: Mapping[str, str]) -> None:
        """Takes LF-tags away from a resource."""
        pairs = _pairs(tags)
        answer = self._call("remove_lf_tags_from_resource", Resource=resource, LFTags=pairs)
        _require_none("RemoveLFTagsFromResource", answer, "LFTag")

    def put_filter(self, described: Shape, *, is_new: bool) -> None:
        """Creates or changes a data cells filter."""
        operation = "create_data_cells_filter" if is_new else "update_data_cells_filter"
        self._call(operation, TableData={"TableCatalogId": self.account, **described})

    def delete_filter(self, database: str, table: str, name: str) -> None:
        """Deletes a data cells filter."""
        named = {"DatabaseName": database, "TableName": table, "Name": name}
        self._call("delete_data_cells_filter", TableCatalogId=self.account, **named)

    def grant(self, entries: Sequence[Shape]) -> None:
        """Grants up to twenty entries (principal, resource, permissions, grant options)."""
        answer = self._call("batch_grant_permissions", Entries=_numbered(entries))
        _require_none("BatchGrantPermissions", answer, "RequestEntry")

    def revoke(self, entries: Sequence[Shape]) -> None:
        """Revokes up to twenty entries."""
        answer = self._call("batch_revoke_permissions", Entries=_numbered(entries))
        _require_none("BatchRevokePermissions", answer, "RequestEntry")

    def opt_in(self, principal: str, resource: Shape) -> None:
        """Makes Lake Formation count for the principal on a hybrid resource."""
        self._call("create_lake_formation_opt_in", Principal=_principal(principal), Resource=resource)

    def opt_out(self, principal: str, resource: Shape) -> None:
        """Takes an opt-in back."""
        self._call("delete_lake_formation_opt_in", Principal=_principal(principal), Resource=resource)

    def _call(self, operation: str, **request: Any) -> Shape:
        with translated(SERVICE):
            return dict(getattr(self.aws.client(SERVICE), operation)(**request))

    def _pages(self, operation: str, member: str, **request: Any) -> Iterator[Shape]:
        """Yield every item of a list; botocore has paginators for few of these operations."""
        size, token = min(self.page, self._largest_page(operation)), Shape()
        while True:
            answer = self._call(operation, MaxResults=size, **request, **token)
            yield from answer.get(member, [])
            if not answer.get("NextToken"):
                return
            token = {"NextToken": answer["NextToken"]}

    def _largest_page(self, operation: str) -> int:
        """Return the most items that the operation gives at once, as the API's model says.

        botocore does not check it, and the service refuses more: 100 for searches by LF-tags, 1,000 for lists.
        """
        with translated(SERVICE):
            meta = self.aws.client(SERVICE).meta
        model = meta.service_model.operation_model(meta.method_to_api_mapping[operation])
        return int(model.input_shape.members["MaxResults"].metadata.get("max", PAGE))


def entry(principal: str, resource: Shape, permissions: Sequence[str], grantable: Sequence[str]) -> Shape:
    """One entry of a batch of grants or revokes."""
    return {
        "Principal": _principal(principal),
        "Resource": resource,
        "Permissions": list(permissions),
        "PermissionsWithGrantOption": list(grantable),
    }


def _principal(name: str) -> Shape:
    return {"DataLakePrincipalIdentifier": name}


def _pairs(tags: Mapping[str, str]) -> list[Shape]:
    return [{"TagKey": key, "TagValues": [value]} for key, value in sorted(tags.items())]


def _numbered(entries: Sequence[Shape]) -> list[Shape]:
    return [{"Id": str(number), **found} for number, found in enumerate(entries)]


def _chunks(values: Sequence[str], size: int) -> list[list[str]]:
    ordered = sorted(values)
    return [ordered[first : first + size] for first in range(0, len(ordered), size)]


def _require_none(operation: str, answer: Shape, subject: str) -> None:
    """Raises for failures that came with a success: the first in words, all of them as facts."""
    failures = answer.get("Failures") or []
    if not failures:
        return
    told = [_failure(found, subject) for found in failures]
    codes = {found.get("Error", {}).get("ErrorCode", "") for found in failures}
    kind = AccessError if codes == {"AccessDeniedException"} else ServiceError
    raise kind(
        f"lakeformation {operation} failed for {len(failures)} of its entries: {told[0]}",
        hint="the rest of the call took effect; fix the cause and run it again",
        failures="\n".join(told),
    )


def _failure(found: Shape, subject: str) -> str:
    error, about = found.get("Error", {}), found.get(subject, {})
    who = about.get("Principal", {}).get("DataLakePrincipalIdentifier", "")
    what = about.get("Resource") or {name: about[name] for name in ("TagKey", "TagValues") if name in about}
    text = f"{error.get('ErrorMessage', '')} ({error.get('ErrorCode', '')})"
    return f"{who} {what}: {text}".strip()
