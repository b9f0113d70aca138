"""The canonical form of what Lake Formation holds: the same thing is written in one way only.

A grant is one row for each principal, resource, permission and grant option. SELECT of a table and SELECT of all its
columns are one row; ALL stands for everything it expands to; columns are one row each; LF-tags of a resource are those
that differ from what it inherits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

ALL_TABLES = "*"
# The group of all principals that IAM lets in: a grant to it makes every restriction void.
EVERYBODY = "IAM_ALLOWED_PRINCIPALS"
SERVICE_LINKED = "aws-service-role/lakeformation.amazonaws.com"
Pairs = tuple[tuple[str, tuple[str, ...]], ...]  # an LF-tag expression: keys with their values, sorted


@dataclass(frozen=True, order=True)
class Resource:
    """A thing that permissions, tags and opt-ins are about.

    `kind` is `database` (name), `table` (database, name or `*`), `column` (database, table, column), `except`
    (database, table, columns left out), `filter` (database, table, name), `tables` or `databases` (an LF-tag
    expression), `location` (ARN).
    """

    kind: str
    key: tuple[str, ...] = ()
    expression: Pairs = ()

    @property
    def database(self) -> str:
        """The database that holds it; empty for tagged things and locations."""
        return self.key[0] if self.kind not in {"tables", "databases", "location"} else ""

    @property
    def parents(self) -> tuple[Resource, ...]:
        """The resources that it inherits LF-tags from, the nearest first."""
        if self.kind == "column":
            # The nearest first: a tag of the table hides the same key of the database.
            return table_of(*self.key[:2]), database_of(self.key[0])
        return (database_of(self.key[0]),) if self.kind == "table" else ()

    def __str__(self) -> str:
        match self.kind:
            case "tables" | "databases":
                pairs = (f"{key}={'|'.join(values)}" for key, values in self.expression)
                return f"{self.kind} tagged {' and '.join(pairs)}"
            case "except":
                return f"{self.key[0]}.{self.key[1]} without {', '.join(self.key[2:])}"
            case "filter":
                return f"{self.key[0]}.{self.key[1]} through filter {self.key[2]}"
            case "database" | "location":
                return f"{self.kind} {self.key[0]}"
        return ".".join(self.key)


def database_of(name: str) -> Resource:
    """Return a database as a resource."""
    return Resource("database", (name,))


def table_of(database: str, name: str) -> Resource:
    """Return a table, or every table of the database if the name is `*`."""
    return Resource("table", (database, name))


def column_of(database: str, table: str, column: str) -> Resource:
    """Return a column as a resource."""
    return Resource("column", (database, table, column))


@dataclass(frozen=True, order=True)
class Grant:
    """One permission of a principal; with `grantable`, the right to grant it on, which is a separate row."""

    principal: str
    resource: Resource
    permission: str
    grantable: bool = False


@dataclass(frozen=True, order=True)
class OptIn:
    """A principal for whom Lake Formation counts on a hybrid resource."""

    principal: str
    resource: Resource


@dataclass(frozen=True)
class Location:
    """A registered location: the role that reads it, and whether IAM still counts next to Lake Formation."""

    role: str
    hybrid: bool = False


@dataclass(frozen=True)
class RowFilter:
    """A data cells filter: a row expression (all rows if empty) and columns, all but some, or all."""

    rows: str = ""
    columns: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()

    def __str__(self) -> str:
        parts = [f"rows {self.rows}" if self.rows else "all rows"]
        parts += [f"columns {', '.join(self.columns)}"] if self.columns else []
        parts += [f"without {', '.join(self.excluded)}"] if self.excluded else []
        return "; ".join(parts)


@dataclass(frozen=True)
class State:
    """What Lake Formation holds or should hold. None means that etltctl leaves it as it is.

    `open_databases` are those whose new tables are open to IAM alone. `tags` map a key to its values; a key without
    values does not exist. `assigned` are the tags of each resource that it does not inherit.
    """

    admins: frozenset[str] | None = None
    iam_defaults: bool | None = None
    source_identity: bool | None = None
    open_databases: frozenset[str] = frozenset()
    locations: Mapping[str, Location] = field(default_factory=dict)
    tags: Mapping[str, frozenset[str]] = field(default_factory=dict)
    assigned: Mapping[Resource, Mapping[str, str]] = field(default_factory=dict)
    filters: Mapping[Resource, RowFilter] = field(default_factory=dict)
    grants: frozenset[Grant] = frozenset()
    opt_ins: frozenset[OptIn] = frozenset()


@dataclass(frozen=True)
class Scope:
    """What etltctl manages: principals, databases with all they hold, LF-tag keys, locations.

    `hybrid` are databases whose access by IAM stays. `protected` are principals, and principals on one resource, whose
    grants are implicit: the service lists them and cannot take them away. `in_use` are LF-tag values and filters that
    a principal relies on which etltctl does not manage.
    """

    principals: frozenset[str]
    databases: frozenset[str]
    tag_keys: frozenset[str] = frozenset()
    locations: frozenset[str] = frozenset()
    hybrid: frozenset[str] = frozenset()
    protected: frozenset[str | tuple[str, Resource]] = frozenset()
    in_use: frozenset[Resource | tuple[str, str]] = frozenset()

    def covers(self, resource: Resource) -> bool:
        """Return whether the resource is managed."""
        if resource.kind == "location":
            return resource.key[0] in self.locations
        if resource.kind in {"tables", "databases"}:
            # An expression with a foreign key is another program's, even if etltctl manages its other keys.
            return bool(resource.expression) and {key for key, _ in resource.expression} <= self.tag_keys
        return resource.database in self.databases

    def may_revoke(self, grant: Grant) -> bool:
        """Return whether the grant is managed, and one that can be revoked."""
        # In a hybrid zone IAM stays in force: revoking this grant would close the tables for every job.
        if grant.principal == EVERYBODY and grant.resource.database in self.hybrid:
            return False
        # The service lists implicit grants as if they were made, and refuses to revoke them.
        is_implicit = not self.protected.isdisjoint({grant.principal, (grant.principal, grant.resource)})
        return grant.principal in self.principals and self.covers(grant.resource) and not is_implicit


def without_inherited(assigned: Mapping[Resource, Mapping[str, str]]) -> dict[Resource, dict[str, str]]:
    """Return the tags of each resource that it would not have by inheritance."""
    own = {
        resource: {
            key: value for key, value in tags.items() if inherited(assigned, resource).get(key) != value
        }
        for resource, tags in assigned.items()
    }
    return {resource: tags for resource, tags in own.items() if tags}


def inherited(assigned: Mapping[Resource, Mapping[str, str]], resource: Resource) -> dict[str, str]:
    """Return the tags that the resource has from its table and its database; the nearer one decides."""
    tags: dict[str, str] = {}
    for parent in reversed(resource.parents):
        tags |= assigned.get(parent, {})
    return tags


def effective_tags(assigned: Mapping[Resource, Mapping[str, str]], resource: Resource) -> dict[str, str]:
    """Return the tags that the resource has, inherited or assigned to itself."""
    return inherited(assigned, resource) | dict(assigned.get(resource, {}))


def folded(permissions: set[str]) -> set[str]:
    """Return the permissions without those that another one includes: ALL includes every one."""
    return {"ALL"} if "ALL" in permissions else set(permissions)
