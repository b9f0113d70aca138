"""Settings of Lake Formation: zones, LF-tags, data cells filters, grants, opt-ins; no zones, no governance."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from etltctl.settings.project_names import LAYERS
from etltctl.settings.section import Section, TableName

# What Lake Formation grants on each kind of thing. It refuses any other, in the middle of an apply.
PERMISSIONS = {
    "table": ("ALL", "SELECT", "INSERT", "DELETE", "DESCRIBE", "ALTER", "DROP"),
    "database": ("ALL", "CREATE_TABLE", "ALTER", "DROP", "DESCRIBE"),
    "columns": ("SELECT",),
    "filter": ("SELECT",),
    "location": ("DATA_LOCATION_ACCESS",),
}
FILTERS_PER_GRANT = 10  # Lake Formation's own limit
# Principals are IAM's users and roles, groups of Identity Center, users of QuickSight, or an organization.
_ARN = r"arn:aws[a-z-]*:(iam|identitystore|quicksight|organizations):[^:]*:\d*:\S+"
_PRINCIPAL = rf"(role|user):[\w+=,.@/-]+|{_ARN}|\d{{12}}"


def _principal(text: str) -> str:
    if not re.fullmatch(_PRINCIPAL, text):
        raise ValueError(
            f"must be role:NAME, user:NAME, an ARN of IAM or an account's 12 digits, got {text!r}"
        )
    return text


def _tagged(text: str) -> str:
    layer, *rest = text.split(".")
    if (
        # At most layer, table and column, each in the letters that the catalog takes.
        layer not in LAYERS
        or len(rest) > 2
        or not all(re.fullmatch(r"[a-z_][a-z0-9_]*", part) for part in rest)
    ):
        raise ValueError(
            f"must be layer, layer.table or layer.table.column with a layer of {', '.join(LAYERS)}, got {text!r}"
        )
    return text


def _name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_.:/=+@-]{1,128}", text):
        raise ValueError(f"must be a name of letters, digits and _.:/=+@-, got {text!r}")
    return text


Principal = Annotated[str, AfterValidator(_principal)]
Tagged = Annotated[str, AfterValidator(_tagged)]
Name = Annotated[str, AfterValidator(_name)]
Layer = Literal["bronze", "silver", "silver_rejects", "gold"]


class Zone(Section):
    """Layers that are governed alike: their databases carry the zone's LF-tag, their locations are registered."""

    layers: list[Layer] = Field(min_length=1, description="the layers; each is in one zone")
    hybrid: bool = Field(
        default=False,
        description=(
            "whether access by IAM stays, so that Lake Formation applies to the opted-in principals only"
        ),
    )


class DataFilter(Section):
    """A data cells filter: rows as a WHERE expression (all if empty), and columns, all but some, or all."""

    rows: str = ""
    columns: list[Name] = []
    exclude_columns: list[Name] = []

    @model_validator(mode="after")
    def _names_columns_one_way(self) -> DataFilter:
        # A filter of the service has either a list or a wildcard with exceptions.
        if self.columns and self.exclude_columns:
            raise ValueError("must name columns or exclude_columns, not both")
        if not (self.rows or self.columns or self.exclude_columns):
            raise ValueError("must narrow something: rows, columns or exclude_columns")
        return self


class Grant(Section):
    """What a principal may do with one of: a table (or columns or filters of it), tagged things, a layer, a location.

    `tags` and `layer` speak of tables or databases, as `on` says; by default tags of tables, a layer of its database.
    """

    principal: Principal
    permissions: list[str] = Field(min_length=1)
    grantable: list[str] = []
    table: TableName | None = None
    columns: list[Name] = []
    exclude_columns: list[Name] = []
    filters: list[Name] = []
    tags: dict[Name, list[Name]] = {}
    layer: Layer | None = None
    location: Layer | None = None
    on: Literal["tables", "databases"] | None = None

    @property
    def kind(self) -> str:
        """What kind of thing the grant is about, a key of PERMISSIONS."""
        # The narrow kinds come first: a filter belongs to a table, which the grant names as well.
        if self.location:
            return "location"
        if self.filters:
            return "filter"
        if self.columns or self.exclude_columns:
            return "columns"
        if self.table:
            return "table"
        return {"tables": "table", "databases": "database", None: "table" if self.tags else "database"}[
            self.on
        ]

    @model_validator(mode="after")
    def _is_about_one_thing(self) -> Grant:
        named = [name for name in ("table", "tags", "layer", "location") if getattr(self, name)]
        narrowed = [name for name in ("columns", "exclude_columns", "filters") if getattr(self, name)]
        if len(named) != 1:
            raise ValueError(
                f"must name one of table, tags, layer, location; names {', '.join(named) or 'none'}"
            )
        if narrowed and named != ["table"]:
            raise ValueError(f"must name a table for its {narrowed[0]}")
        if len(narrowed) > 1:
            raise ValueError(f"must have one of columns, exclude_columns, filters; has {', '.join(narrowed)}")
        if self.on and named[0] not in {"tags", "layer"}:
            raise ValueError("must have tags or layer for `on`")
        return self

    @model_validator(mode="after")
    def _permits_what_there_is(self) -> Grant:
        known = PERMISSIONS[self.kind]
        if wrong := [name for name in (*self.permissions, *self.grantable) if name not in known]:
            raise ValueError(
                f"must have permissions of {', '.join(known)} on a {self.kind}, got {', '.join(wrong)}"
            )
        # A permission that can be passed on must be held, or the two lists contradict each other.
        if extra := set(self.grantable) - set(self.permissions):
            raise ValueError(f"must list {', '.join(sorted(extra))} in permissions to make it grantable")
        if len(self.filters) > FILTERS_PER_GRANT:
            raise ValueError(
                f"must have at most {FILTERS_PER_GRANT} filters, the service's limit a grant, got {len(self.filters)}"
            )
        return self


class OptIn(Section):
    """A principal for whom Lake Formation's permissions count on a hybrid layer or table."""

    principal: Principal
    layer: Layer | None = None
    table: TableName | None = None

    @model_validator(mode="after")
    def _is_about_one_thing(self) -> OptIn:
        if bool(self.layer) == bool(self.table):
            raise ValueError("must name either a layer or a table")
        return self


class Governance(Section):
    """The permissions on the lake, as Lake Formation grants them. Without a zone nothing is governed.

    etltctl manages the principals that grants, opt-ins and `principals` name, and the databases and tables of the
    zones. It changes nothing else.
    """

    zone_tag: Name = Field(
        default="zone", description="the LF-tag whose values are the zones, set on their databases"
    )
    zones: dict[Name, Zone] = {}
    location_role: Principal | None = Field(
        default=None,
        description="the role that reads registered locations; if unset, no location is registered",
    )
    principals: list[Principal] = Field(
        default=[],
        description="further principals whose grants are managed, as `role:NAME`, `user:NAME` or an ARN",
    )
    admins: list[Principal] | None = Field(
        default=None,
        max_length=30,
        description="the data lake administrators; the caller always stays one; unchanged unless set",
    )
    iam_defaults: bool | None = Field(
        default=None,
        description="whether new databases and tables of the account are open to IAM; unchanged unless set",
    )
    source_identity: bool | None = Field(
        default=None, description="whether S3 data events name the querying role; unchanged unless set"
    )
    tags: dict[Name, list[Name]] = Field(
        default={}, description="LF-tags with their values; a key with no value is deleted"
    )
    assign: dict[Tagged, dict[Name, Name]] = Field(
        default={}, description="the tags of a `layer`, `layer.table` or `layer.table.column`"
    )
    filters: dict[TableName, dict[Name, DataFilter]] = Field(
        default={}, description="data cells filters of a `layer.table`, by name"
    )
    grants: list[Grant] = Field(
        default=[], description="what each principal may do, on one of `table`, `tags`, `layer`, `location`"
    )
    opt_ins: list[OptIn] = Field(
        default=[], description="the principals to which Lake Formation applies in a hybrid zone"
    )

    @property
    def is_configured(self) -> bool:
        """Whether anything is governed at all."""
        return bool(self.zones)

    @property
    def layers(self) -> dict[str, str]:
        """The governed layers, each with its zone."""
        return {layer: name for name, zone in self.zones.items() for layer in zone.layers}

    @property
    def all_tags(self) -> Mapping[str, list[str]]:
        """The LF-tags there should be, the zones' own included; one with no value is to go."""
        # A tag of the settings with the name of the zones' tag replaces it, so that a person can add values.
        zones = {self.zone_tag: list(self.zones)} if self.zones else {}
        return {**zones, **self.tags}

    @property
    def roles(self) -> set[str]:
        """The names of the roles that are named as `role:NAME`."""
        named = [
            *self.principals,
            *(self.admins or []),
            *([self.location_role] if self.location_role else []),
        ]
        named += [item.principal for item in self.grants] + [item.principal for item in self.opt_ins]
        return {text.removeprefix("role:") for text in named if text.startswith("role:")}
