"""The way to Lake Formation for changes: it takes them in canonical form and gathers those that share a call."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from etltctl.catalog import Catalog
from etltctl.governance.model import Location, OptIn, Resource, RowFilter
from etltctl.governance.shapes import AccountSettings, Entry, filter_shape, resource_shape
from etltctl.lakeformation import LakeFormation

EditSettings = Callable[[AccountSettings], AccountSettings]


@dataclass
class Writer:
    """Write changes to one account.

    Grants, revokes and account settings are gathered until `flush`, because the service takes many of them in one
    call. Everything else is written at once.

    Attributes:
        service: Lake Formation.
        catalog: The Glue Data Catalog.
        caller: The principal that must stay an administrator.
    """

    service: LakeFormation
    catalog: Catalog
    caller: str
    _grants: list[Entry] = field(default_factory=list)
    _revokes: list[Entry] = field(default_factory=list)
    _edits: list[EditSettings] = field(default_factory=list)

    def flush(self) -> None:
        """Write what was gathered. A batch of which the service refused a part raises an error that names the part."""
        # Emptied before the calls: after an error a second flush must not send the same entries again.
        edits, grants, revokes = self._edits, self._grants, self._revokes
        self._edits, self._grants, self._revokes = [], [], []
        if edits:
            # The service replaces all settings at once: what etltctl does not manage must be written back as it was.
            settings = AccountSettings.of(self.service.settings())
            for edit in edits:
                settings = edit(settings)
            self.service.put_settings(settings.shape())
        # Grants before revokes, so that a principal that gets one permission for another never has neither.
        if grants:
            self.service.grant([entry.shape(self.service.account) for entry in grants])
        if revokes:
            self.service.revoke([entry.shape(self.service.account) for entry in revokes])

    def edit_settings(self, edit: EditSettings) -> None:
        """Gather an edit of the account's settings."""
        self._edits.append(edit)

    def grant(self, entry: Entry) -> None:
        """Gather an entry of a batch of grants."""
        self._grants.append(entry)

    def revoke(self, entry: Entry) -> None:
        """Gather an entry of a batch of revokes."""
        self._revokes.append(entry)

    def govern_new_tables(self, database: str) -> None:
        """Stop IAM alone from opening the database's new tables."""
        self.catalog.govern_new_tables(database)

    def register(self, arn: str, location: Location, *, is_new: bool) -> None:
        """Register a location, or change its role or mode."""
        write = self.service.register if is_new else self.service.update_location
        write(arn, location.role, hybrid=location.hybrid)

    def add_tag_values(self, key: str, values: Sequence[str], *, is_new: bool) -> None:
        """Create an LF-tag with these values, or add them to it."""
        write = self.service.create_tag if is_new else self.service.add_tag_values
        write(key, values)

    def drop_tag_values(self, key: str, values: Sequence[str], *, is_whole: bool) -> None:
        """Delete an LF-tag, or these values of it."""
        if is_whole:
            self.service.delete_tag(key)
        else:
            self.service.remove_tag_values(key, values)

    def assign(self, resource: Resource, tags: Mapping[str, str]) -> None:
        """Set LF-tags of a resource."""
        self.service.assign(resource_shape(resource, self.service.account), tags)

    def unassign(self, resource: Resource, tags: Mapping[str, str]) -> None:
        """Take LF-tags off a resource."""
        self.service.unassign(resource_shape(resource, self.service.account), tags)

    def put_filter(self, resource: Resource, row_filter: RowFilter, *, is_new: bool) -> None:
        """Create or change a data cells filter."""
        self.service.put_filter(filter_shape(resource, row_filter), is_new=is_new)

    def delete_filter(self, resource: Resource) -> None:
        """Delete a data cells filter."""
        self.service.delete_filter(*resource.key)

    def opt_in(self, opt_in: OptIn) -> None:
        """Make Lake Formation count for a principal on a hybrid resource."""
        self.service.opt_in(opt_in.principal, resource_shape(opt_in.resource, self.service.account))

    def opt_out(self, opt_in: OptIn) -> None:
        """Take an opt-in back."""
        self.service.opt_out(opt_in.principal, resource_shape(opt_in.resource, self.service.account))
