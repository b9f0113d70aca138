"""LF-tags: their values, what carries them, and what inherits them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from etltctl.local.kernel.accounts import ACCOUNT
from etltctl.local.kernel.json_protocol import AwsError
from etltctl.local.services.lakeformation.resources import (
    Catalog,
    Key,
    Shape,
    columns_of,
    invalid,
    key,
    keys_of,
    parts,
)
from etltctl.local.services.lakeformation.store import Records

# Quotas of Lake Formation: values in one call, and values of one key.
VALUES_A_CALL = 50
VALUES = 1000


class Tags:
    """The LF-tags in the records."""

    def __init__(self, records: Records, catalog: Catalog) -> None:
        self._records, self._catalog = records, catalog

    def create(self, body: Shape) -> Shape:
        """Create a key with its first values."""
        if body["TagKey"] in self._records.tags:
            raise invalid(f"Tag key already exists: {body['TagKey']}")
        self._records.tags[body["TagKey"]] = self._checked(body["TagValues"])
        return {}

    def update(self, body: Shape) -> Shape:
        """Add and take away values; what carried one that goes carries it no longer."""
        name = body["TagKey"]
        current = self._values(name)
        gone, more = body.get("TagValuesToDelete") or [], body.get("TagValuesToAdd") or []
        if not set(gone) <= set(current):
            raise invalid(f"Tag values not found: {sorted(set(gone) - set(current))}")
        self._checked([*gone, *more])
        self._records.tags[name] = sorted({*current, *more} - set(gone))
        if len(self._records.tags[name]) > VALUES:
            raise AwsError("ResourceNumberLimitExceededException", f"A tag has at most {VALUES} values.")
        for tags in self._records.assigned.values():
            if tags.get(name) in gone:
                del tags[name]
        return {}

    def get(self, body: Shape) -> Shape:
        """Return one key with its values."""
        return self._described(body["TagKey"], self._values(body["TagKey"]))

    def delete(self, body: Shape) -> Shape:
        """Delete a key, and take it from everything that carries it."""
        self._values(body["TagKey"])
        del self._records.tags[body["TagKey"]]
        for tags in self._records.assigned.values():
            tags.pop(body["TagKey"], None)
        return {}

    def every(self) -> list[Shape]:
        """Return every key with its values."""
        return [self._described(name, values) for name, values in sorted(self._records.tags.items())]

    def assign(self, body: Shape) -> Shape:
        """Set tags of a resource; a value that does not exist is a failure in the body."""
        return self._each(body, self._assign_one)

    def unassign(self, body: Shape) -> Shape:
        """Take the resource's own tags away from it; inherited tags stay."""
        return self._each(body, self._unassign_one)

    def of_resource(self, body: Shape) -> Shape:
        """Return the tags of a resource: all of them, or with ShowAssignedLFTags only the assigned ones."""
        (requested,) = keys_of(body["Resource"], self._catalog)
        own = bool(body.get("ShowAssignedLFTags"))
        kind, *names = parts(requested)
        if kind == "DATABASE":
            return _present({"LFTagOnDatabase": self._shown(requested, own=own)})
        database, table = key("DATABASE", names[0]), key("TABLE", *names[:2])
        described = self._catalog.get_table(names[0], names[1]) or {"StorageDescriptor": {"Columns": []}}
        columns = [(name, key("COLUMN", *names[:2], name)) for name in columns_of(described)]
        shown_columns = [
            {"Name": name, "LFTags": self._shown(resource, own=own)} for name, resource in columns
        ]
        return _present(
            {
                "LFTagOnDatabase": self._shown(database, own=own),
                "LFTagsOnTable": self._shown(table, own=own),
                "LFTagsOnColumns": [column for column in shown_columns if column["LFTags"]],
            }
        )

    def databases(self, body: Shape) -> list[Shape]:
        """Return the databases that satisfy the expression."""
        named = [(name, key("DATABASE", name)) for name in self._catalog.get_databases()]
        return [
            {"Database": {"CatalogId": ACCOUNT, "Name": name}, "LFTags": self._shown(of, own=False)}
            for name, of in named
            if satisfies(self.effective(of), _pairs(body["Expression"]))
        ]

    def tables(self, body: Shape) -> list[Shape]:
        """Return the tables that satisfy the expression, themselves or by a column."""
        expression = _pairs(body["Expression"])
        return [
            {"Table": {"CatalogId": ACCOUNT, "DatabaseName": database, "Name": table["Name"]}}
            | self.of_resource({"Resource": {"Table": {"DatabaseName": database, "Name": table["Name"]}}})
            for database in self._catalog.get_databases()
            for table in self._catalog.get_tables(database)
            if self._table_satisfies(database, table, expression)
        ]

    def effective(self, of: Key) -> dict[str, str]:
        """Return the tags a resource has, inherited or its own."""
        kind, *names = parts(of)
        above = {"COLUMN": lambda: key("TABLE", *names[:2]), "TABLE": lambda: key("DATABASE", names[0])}.get(
            kind
        )
        inherited = self.effective(above()) if above else {}
        # What is assigned below overrides the inherited value of the same key only.
        return inherited | self._records.assigned.get(of, {})

    def _table_satisfies(self, database: str, table: Shape, expression: Mapping[str, list[str]]) -> bool:
        about = [key("TABLE", database, table["Name"])]
        about += [key("COLUMN", database, table["Name"], name) for name in columns_of(table)]
        return any(satisfies(self.effective(resource), expression) for resource in about)

    def _each(self, body: Shape, do: Callable[[Key, str, str], None]) -> Shape:
        targets = keys_of(body["Resource"], self._catalog)
        failures = []
        for tag in body["LFTags"]:
            try:
                # A resource carries one value of a key; more or none is a failure of this tag alone.
                (value,) = tag["TagValues"]
                for target in targets:
                    do(target, tag["TagKey"], value)
            except (AwsError, ValueError) as error:
                code = error.code if isinstance(error, AwsError) else "InvalidInputException"
                failures.append({"LFTag": tag, "Error": {"ErrorCode": code, "ErrorMessage": str(error)}})
        return {"Failures": failures}

    def _assign_one(self, target: Key, name: str, value: str) -> None:
        if value not in self._records.tags.get(name, ()):
            raise AwsError("EntityNotFoundException", "Tag or tag value does not exist.")
        self._records.assigned.setdefault(target, {})[name] = value

    def _unassign_one(self, target: Key, name: str, value: str) -> None:
        if self._records.assigned.get(target, {}).get(name) != value:
            raise AwsError(
                "EntityNotFoundException", f"The tag {name} = {value} is not assigned to the resource."
            )
        del self._records.assigned[target][name]

    def _shown(self, of: Key, *, own: bool) -> list[Shape]:
        tags = self._records.assigned.get(of, {}) if own else self.effective(of)
        return [self._described(name, [value]) for name, value in sorted(tags.items())]

    def _values(self, name: str) -> list[str]:
        if name not in self._records.tags:
            raise AwsError("EntityNotFoundException", f"Tag key does not exist: {name}")
        return self._records.tags[name]

    def _checked(self, values: list[str]) -> list[str]:
        if not 0 < len(values) <= VALUES_A_CALL:
            raise invalid(f"Between 1 and {VALUES_A_CALL} tag values are allowed in one call.")
        return sorted(set(values))

    def _described(self, name: str, values: list[str]) -> Shape:
        return {"CatalogId": ACCOUNT, "TagKey": name, "TagValues": values}


def satisfies(tags: Mapping[str, str], expression: Mapping[str, list[str]]) -> bool:
    """Return whether the tags have one of the values of every key."""
    return all(name in tags and tags[name] in values for name, values in expression.items())


def _pairs(expression: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    return {pair["TagKey"]: pair["TagValues"] for pair in expression}


def _present(lists: Mapping[str, list[Shape]]) -> Shape:
    """Return the lists that hold anything: by the service's model, a list of tags has at least one."""
    return {name: items for name, items in lists.items() if items}
