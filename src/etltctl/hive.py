"""What Hive's conventions make of a table: its format, column types as the catalog words them, partitions in paths."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

DEEPEST = 100  # levels of nesting; no real column is deeper, and the parser calls itself at each level
# Scale may be negative in Hive's grammar; `timestamp with local time zone` is the only type of several words.
SCALAR = re.compile(r"[a-z_]+(?: with local time zone)?(?:\(\s*\d+\s*(?:,\s*-?\d+\s*)?\))?", re.IGNORECASE)
FIELD = re.compile(
    r"\s*(?:`((?:[^`]|``)+)`\s*|([^:]+?)\s*):"
)  # the name of a struct's field, up to the colon
PARTS = {"array": ("element",), "map": ("key", "value")}
DEFAULT_PARTITION = "__HIVE_DEFAULT_PARTITION__"  # stands for null, and for an empty text
ESCAPED = re.compile(r"%([0-9A-Fa-f]{2})")
UNSAFE = re.compile(r"[\x00-\x1f\"#%'*/:=?\\\x7f{}\[\]^]")  # what Hive escapes in a folder's name


def is_iceberg(described: Mapping[str, Any]) -> bool:
    """Return whether a table is one of Iceberg, whose columns and files only its own metadata describes.

    Args:
        described: The table in Glue's shape.
    """
    return str((described.get("Parameters") or {}).get("table_type", "")).upper() == "ICEBERG"


def current_columns(described: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the columns of a table. Glue also lists those that Iceberg dropped, marked as not current.

    Args:
        described: The table in Glue's shape.
    """
    return [
        column
        for column in described["StorageDescriptor"]["Columns"]
        if (column.get("Parameters") or {}).get("iceberg.field.current") != "false"
    ]


@dataclass(frozen=True)
class HiveType:
    """A type: its name, and the types that it is made of, by name.

    The part of a list is called `element`, those of a map `key` and `value`. A scalar type has no parts. The numbers
    of `decimal(10,2)` or `varchar(5)` belong to the name.
    """

    name: str
    parts: Mapping[str, HiveType] = field(default_factory=dict)

    def __str__(self) -> str:
        """Return the type as the catalog words it, such as `array<struct<id:int>>`."""
        if not self.parts:
            return self.name
        named = self.name == "struct"
        return f"{self.name}<{','.join(f'{n}:{t}' if named else str(t) for n, t in self.parts.items())}>"

    @property
    def numbers(self) -> tuple[int, ...]:
        """Return the numbers of the name: precision and scale, or a length."""
        return tuple(int(number) for number in re.findall(r"-?\d+", self.name.partition("(")[2]))


def parse_type(text: str) -> HiveType:
    """Parse a type such as `array<struct<id:int,1h:double>>`.

    The name of a struct's field may be any text up to the colon, because the catalog may hold what others wrote. It
    may also stand between backticks.

    Args:
        text: The type as the catalog words it.

    Raises:
        ValueError: The text is not a Hive type.
    """
    parser = _Parser(text)
    kind = parser.type(0)
    parser.require_end()
    return kind


def unescaped(text: str) -> str:
    """Return the text of a path with every `%XX` replaced, as Hive does.

    Hive takes each code for one character, and not for a byte of UTF-8. It leaves any other `%` as it is.
    """
    return ESCAPED.sub(lambda match: chr(int(match[1], 16)), text)


def escaped(text: str) -> str:
    """Return a name or a value as Hive writes it in the name of a folder."""
    return UNSAFE.sub(lambda match: f"%{ord(match[0]):02X}", text)


def folder_of(values: Mapping[str, str]) -> str:
    """Return the folders of a partition, such as `year=2024/city=a%3Ab`.

    Args:
        values: The value of each partition column, in order.
    """
    return "/".join(
        f"{escaped(name)}={escaped(value) or DEFAULT_PARTITION}" for name, value in values.items()
    )


def partition_folder(path: str) -> str:
    """Return the folder of a file's partition; it is empty for a file outside of any.

    Folders after the last `name=value` are not partitions: readers look into them as if they were not there.

    Args:
        path: The file's path below the table's location.
    """
    folders = path.split("/")[:-1]
    while folders and "=" not in folders[-1]:
        folders.pop()
    return "/".join(folders)


def partition_of(path: str) -> list[tuple[str, str]]:
    """Return the names and raw values of the partition columns in a path of folders, in their order.

    Args:
        path: What lies between the table's location and the file's name, such as `year=2024/city=a%3Ab`.
    """
    # Only the first `=` divides: a value may hold more of them.
    parts = (folder.partition("=") for folder in path.split("/"))
    return [(name, value) for name, mark, value in parts if mark]


@dataclass
class _Parser:
    text: str
    at: int = 0

    def type(self, depth: int) -> HiveType:
        if depth > DEEPEST:
            raise self._error("is too deep")
        self._skip_spaces()
        # Tried before scalars: `array` would match as the name of a scalar type.
        for name in ("array", "map", "struct"):
            if self.text[self.at :].lower().startswith(f"{name}<"):
                self.at += len(name) + 1
                return self._struct(depth) if name == "struct" else self._unnamed(name, depth)
        scalar = SCALAR.match(self.text, self.at)
        if scalar is None:
            raise self._error("has no type")
        self.at = scalar.end()
        return HiveType(re.sub(r"\s*([(),])\s*", r"\1", scalar[0].lower()))

    def _unnamed(self, name: str, depth: int) -> HiveType:
        parts = {}
        for number, part in enumerate(PARTS[name]):
            if number:
                self._require(",")
            parts[part] = self.type(depth + 1)
        self._require(">")
        return HiveType(name, parts)

    def _struct(self, depth: int) -> HiveType:
        parts: dict[str, HiveType] = {}
        while True:
            name = self._field_name()
            # Readers find a field by its name. With two of one name they would take either.
            if name in parts:
                raise self._error(f"has the field {name} twice")
            parts[name] = self.type(depth + 1)
            self._skip_spaces()
            if self.text[self.at : self.at + 1] != ",":
                self._require(">")
                return HiveType("struct", parts)
            self.at += 1

    def _field_name(self) -> str:
        match = FIELD.match(self.text, self.at)
        if match is None:
            raise self._error("has a struct without the name of a field")
        self.at = match.end()
        return match[1].replace("``", "`") if match[1] else match[2]

    def _require(self, mark: str) -> None:
        self._skip_spaces()
        if self.text[self.at : self.at + 1] != mark:
            raise self._error(f"has no {mark}")
        self.at += 1

    def _skip_spaces(self) -> None:
        while self.text[self.at : self.at + 1].isspace():
            self.at += 1

    def require_end(self) -> None:
        """Raise ValueError unless everything was read."""
        self._skip_spaces()
        if self.at != len(self.text):
            raise self._error("goes on")

    def _error(self, why: str) -> ValueError:
        return ValueError(f"{self.text!r} is not a Hive type: it {why} at character {self.at + 1}")
