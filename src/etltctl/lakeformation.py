"""Lake Formation: lists, read to the last page, and writes. A failure inside a successful answer is an error."""

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
        """Return the data lake settings."""
        return dict(self._call("get_data_lake_settings")["DataLakeSettings"])

    def locations(self) -> list[Shape]:
        """Return every registered location."""
        return list(self._pages("list_resources", "ResourceInfoList"))

    def tags(self) -> dict[str, frozenset[str]]:
        """Return every LF-tag with its values."""
        return {tag["TagKey"]: frozenset(tag["TagValues"]) for tag in self._pages("list_lf_tags", "LFTags")}

    def resource_tags(self, resource: Shape) -> Shape:
        """Return the LF-tags of a database, or of a table and its columns, inherited ones included."""
        return dict(self._call("get_resource_lf_tags", Resource=resource, ShowAssignedLFTags=True))

    def tables_tagged(self, key: str, value: str) -> list[Shape]:
        """Return the tables that carry the LF-tag, themselves or in a column."""
        expression = [{"TagKey": key, "TagValues": [value]}]
        return list(self._pages("search_tables_by_lf_tags", "TableList", Expression=expression))

    def databases_tagged(self, key: str, value: str) -> list[Shape]:
        """Return the databases that carry the LF-tag."""
        expression = [{"TagKey": key, "TagValues": [value]}]
        return list(self._pages("search_databases_by_lf_tags", "DatabaseList", Expression=expression))

    def filters(self) -> list[Shape]:
        """Return every data cells filter."""
        return list(self._pages("list_data_cells_filter", "DataCellsFilters"))

    def permissions(self, **request: Any) -> list[Shape]:
        """Return permissions as the service lists them: of a `Principal`, on a `Resource`, of a `ResourceType`."""
        return list(self._pages("list_permissions", "PrincipalResourcePermissions", **request))

    def opt_ins(self) -> list[Shape]:
        """Return every opt-in."""
        return list(self._pages("list_lake_formation_opt_ins", "LakeFormationOptInsInfoList"))

    # writes

    def put_settings(self, settings: Shape) -> None:
        """Replace the data lake settings as a whole."""
        self._call("put_data_lake_settings", DataLakeSettings=settings)

    def register(self, arn: str, role: str, *, hybrid: bool) -> None:
        """Register a location, to be read as the role."""
        self._call("register_resource", ResourceArn=arn, RoleArn=role, HybridAccessEnabled=hybrid)

    def update_location(self, arn: str, role: str, *, hybrid: bool) -> None:
        """Change the role or the mode of a registered location."""
        self._call("update_resource", ResourceArn=arn, RoleArn=role, HybridAccessEnabled=hybrid)

    def create_tag(self, key: str, values: Sequence[str]) -> None:
        """Create an LF-tag. One call takes fifty values; more are added after it."""
        # An LF-tag may have 1,000 values, but no call takes more than fifty of them.
        first, *rest = _chunks(values, VALUES_A_CALL)
        self._call("create_lf_tag", TagKey=key, TagValues=first)
        for more in rest:
            self._call("update_lf_tag", TagKey=key, TagValuesToAdd=more)

    def add_tag_values(self, key: str, values: Sequence[str]) -> None:
        """Add values to an LF-tag."""
        for some in _chunks(values, VALUES_A_CALL):
            self._call("update_lf_tag", TagKey=key, TagValuesToAdd=some)

    def remove_tag_values(self, key: str, values: Sequence[str]) -> None:
        """Delete values of an LF-tag. Everything that carries them loses them."""
        for some in _chunks(values, VALUES_A_CALL):
            self._call("update_lf_tag", TagKey=key, TagValuesToDelete=some)

    def delete_tag(self, key: str) -> None:
        """Delete an LF-tag with all its values."""
        self._call("delete_lf_tag", TagKey=key)

    def assign(self, resource: Shape, tags: Mapping[str, str]) -> None:
        """Set LF-tags of a resource."""
        pairs = _pairs(tags)
        answer = self._call("add_lf_tags_to_resource", Resource=resource, LFTags=pairs)
        _require_none("AddLFTagsToResource", answer, "LFTag")

    def unassign(self, resource: Shape, tags: Mapping[str, str]) -> None:
        """Take LF-tags off a resource."""
        pairs = _pairs(tags)
        answer = self._call("remove_lf_tags_from_resource", Resource=resource, LFTags=pairs)
        _require_none("RemoveLFTagsFromResource", answer, "LFTag")

    def put_filter(self, described: Shape, *, is_new: bool) -> None:
        """Create or change a data cells filter."""
        operation = "create_data_cells_filter" if is_new else "update_data_cells_filter"
        self._call(operation, TableData={"TableCatalogId": self.account, **described})

    def delete_filter(self, database: str, table: str, name: str) -> None:
        """Delete a data cells filter."""
        named = {"DatabaseName": database, "TableName": table, "Name": name}
        self._call("delete_data_cells_filter", TableCatalogId=self.account, **named)

    def grant(self, entries: Sequence[Shape]) -> None:
        """Grant at most `BATCH` entries: principal, resource, permissions, grant options."""
        answer = self._call("batch_grant_permissions", Entries=_numbered(entries))
        _require_none("BatchGrantPermissions", answer, "RequestEntry")

    def revoke(self, entries: Sequence[Shape]) -> None:
        """Revoke at most `BATCH` entries."""
        answer = self._call("batch_revoke_permissions", Entries=_numbered(entries))
        _require_none("BatchRevokePermissions", answer, "RequestEntry")

    def opt_in(self, principal: str, resource: Shape) -> None:
        """Make Lake Formation count for the principal on a hybrid resource."""
        self._call("create_lake_formation_opt_in", Principal=_principal(principal), Resource=resource)

    def opt_out(self, principal: str, resource: Shape) -> None:
        """Take an opt-in back."""
        self._call("delete_lake_formation_opt_in", Principal=_principal(principal), Resource=resource)

    def _call(self, operation: str, **request: Any) -> Shape:
        with translated(SERVICE):
            return dict(getattr(self.aws.client(SERVICE), operation)(**request))

    def _pages(self, operation: str, member: str, **request: Any) -> Iterator[Shape]:
        """Yield every item of a list; botocore has paginators for few of these operations."""
        # Some pages are empty although more follow: only a missing token ends a list.
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
    """Return one entry of a batch of grants or revokes."""
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
    return [{"Id": str(number), **each} for number, each in enumerate(entries)]


def _chunks(values: Sequence[str], size: int) -> list[list[str]]:
    ordered = sorted(values)
    return [ordered[first : first + size] for first in range(0, len(ordered), size)]


def _require_none(operation: str, answer: Shape, subject: str) -> None:
    """Raise an error for failures inside a successful answer.

    Raises:
        AccessError: The service refused the permission for every entry that failed.
        ServiceError: An entry failed. The message names the first one, the facts name all.
    """
    failures = answer.get("Failures") or []
    if not failures:
        return
    reasons = [_failure(failure, subject) for failure in failures]
    codes = {failure.get("Error", {}).get("ErrorCode", "") for failure in failures}
    # A batch answers with status 200 even if every entry failed.
    kind = AccessError if codes == {"AccessDeniedException"} else ServiceError
    raise kind(
        f"lakeformation {operation} failed for {len(failures)} of its entries: {reasons[0]}",
        hint="the rest of the call took effect; fix the cause and run it again",
        failures="\n".join(reasons),
    )


def _failure(failure: Shape, subject: str) -> str:
    error, entry = failure.get("Error", {}), failure.get(subject, {})
    principal = entry.get("Principal", {}).get("DataLakePrincipalIdentifier", "")
    # The service repeats the entry that failed, which says more than its number.
    about = entry.get("Resource") or {name: entry[name] for name in ("TagKey", "TagValues") if name in entry}
    text = f"{error.get('ErrorMessage', '')} ({error.get('ErrorCode', '')})"
    return f"{principal} {about}: {text}".strip()
