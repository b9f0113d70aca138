"""A data source that Desktop saved once, re-pointed to another Athena workgroup, database and table.

Tableau does not document every attribute of an Athena connection, so none is invented here: the file must have a live
Athena connection, and only what names a place is changed.
"""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ET
import zipfile
from dataclasses import dataclass
from pathlib import Path

from etltctl.atomic_files import write_atomically
from etltctl.errors import UsageError
from etltctl.values import S3Location

ATHENA = "athena"
CATALOG = "AwsDataCatalog"


@dataclass(frozen=True)
class Target:
    """Where the data source shall read."""

    region: str
    workgroup: str
    output_location: str
    database: str
    table: str


def repoint(file: Path, target: Target, to: Path) -> list[str]:
    """Write the data source (.tds or .tdsx), re-pointed; return what was changed, `attribute: before → after`.

    Raises:
        UsageError: The file is not a data source with one live Athena connection to one table.
    """
    if not file.suffix:
        raise UsageError(f"{file} is not a data source", hint="save one in Tableau Desktop as .tds or .tdsx")
    try:
        content = file.read_bytes()
        if file.suffix == ".tds":
            repointed, changes = _repointed(content, target, file)
            write_atomically(to, repointed)
            return changes
        if file.suffix == ".tdsx":
            return _repoint_archive(content, target, file, to)
    except FileNotFoundError as error:
        raise UsageError(f"{file} does not exist", hint="save a data source in Tableau Desktop") from error
    except (OSError, ET.ParseError, zipfile.BadZipFile) as error:
        raise UsageError(f"{file} cannot be read as a Tableau data source: {error}") from error
    raise UsageError(f"{file} is not a data source", hint="save one in Tableau Desktop as .tds or .tdsx")


def _repoint_archive(content: bytes, target: Target, file: Path, to: Path) -> list[str]:
    changes: list[str] = []
    packed = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as old,
        zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for entry in old.infolist():
            body = old.read(entry)
            if entry.filename.endswith(".tds"):
                body, more = _repointed(body, target, file)
                changes += more
            new.writestr(entry, body)
    if not any(name.endswith(".tds") for name in zipfile.ZipFile(packed).namelist()):
        raise UsageError(f"{file} holds no .tds", hint="save it in Tableau Desktop as a data source")
    write_atomically(to, packed.getvalue())
    return changes


def _repointed(content: bytes, target: Target, file: Path) -> tuple[bytes, list[str]]:
    # ElementTree would rename the prefixes to ns0, ns1, and Tableau Desktop looks for its own.
    for _, (prefix, uri) in ET.iterparse(io.BytesIO(content), events=["start-ns"]):
        ET.register_namespace(prefix, uri)
    # Tableau keeps a note about the file's version in a comment.
    root = ET.fromstring(content, ET.XMLParser(target=ET.TreeBuilder(insert_comments=True)))
    connections = [each for each in root.iter("connection") if each.get("class") == ATHENA]
    relations = [each for each in root.iter("relation") if each.get("type") == "table" and each.get("table")]
    if len(connections) != 1 or len({each.get("table") for each in relations}) != 1:
        raise UsageError(
            f"{file} has {len(connections)} Athena connections and {len(relations)} tables; one of each is needed",
            hint="in Tableau Desktop connect live to one table of Athena and save the data source",
        )
    old_table = _names(relations[0].get("table", ""))[-1]
    changes: list[str] = []
    for name, value in _places(connections[0], target).items():
        _set(connections[0], name, value, changes)
    for relation in relations:
        _set(relation, "table", f"[{target.database}].[{target.table}]", changes)
        if relation.get("name") == old_table:
            _set(relation, "name", target.table, changes)
    for parent in root.iter("parent-name"):
        if parent.text == f"[{old_table}]":
            parent.text = f"[{target.table}]"
    text = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return text, list(dict.fromkeys(changes))


def _places(connection: ET.Element, target: Target) -> dict[str, str]:
    """Return the attributes that name a place; staging directory and workgroup only where Desktop wrote them."""
    attributes = {
        "server": f"athena.{target.region}.amazonaws.com",
        "dbname": CATALOG,
        "schema": target.database,
    }
    for name, value in connection.attrib.items():
        if S3Location.is_one(value):
            attributes[name] = target.output_location
        elif "workgroup" in name.lower():
            attributes[name] = target.workgroup
    return attributes


def _set(element: ET.Element, name: str, value: str, changes: list[str]) -> None:
    before = element.get(name)
    if before != value:
        element.set(name, value)
        changes.append(f"{element.tag} {name}: {before or 'none'} → {value}")


def _names(table: str) -> list[str]:
    return re.findall(r"\[([^\]]+)\]", table) or [table]
