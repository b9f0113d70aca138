"""AWS's messages as values with the model's own names: JSON, forms of the query protocol, XML and headers.

What a message holds and the model does not know is reported, and left out of the value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qsl
from xml.etree import ElementTree

TRUTH = {"true": True, "false": False}
NUMBER = re.compile(r"[0-9]{1,9}")  # of an item in a form


@dataclass
class Reader:
    """Reads one message; `problems` collects what is not as the model says."""

    problems: list[str] = field(default_factory=list)
    is_ec2: bool = False  # whose forms have other names

    def json(self, text: bytes, shape: Any, place: str) -> Any:
        """Return a JSON body as a value of the shape."""
        try:
            value = json.loads(text or b"{}")
        except ValueError:
            self.problems.append(f"{place} is not JSON")
            return {}
        return self.named(value, shape, place)

    def named(self, value: Any, shape: Any, place: str) -> Any:
        """Return a value of JSON with the model's names for its members."""
        kind = shape.type_name
        if kind == "structure" and isinstance(value, dict) and not getattr(shape, "is_document_type", False):
            return self._members_of(value, shape, place)
        if kind == "list" and isinstance(value, list):
            return [self.named(item, shape.member, f"{place}[{at}]") for at, item in enumerate(value)]
        if kind == "map" and isinstance(value, dict):
            return {key: self.named(item, shape.value, f"{place}.{key}") for key, item in value.items()}
        return value

    def _members_of(self, value: dict[str, Any], shape: Any, place: str) -> dict[str, Any]:
        names = {member.serialization.get("name", name): name for name, member in shape.members.items()}
        self._report_unknown(set(value) - set(names), place)
        return {
            names[key]: item
            if item is None
            else self.named(item, shape.members[names[key]], f"{place}.{key}")
            for key, item in value.items()
            if key in names
        }

    def form(self, text: str, shape: Any, place: str) -> dict[str, Any]:
        """Return the fields of the query protocol (`List.member.1.Key=…`) as a value of the shape."""
        tree: dict[str, Any] = {}
        for name, value in parse_qsl(text, keep_blank_values=True):
            if not name.startswith("X-Amz-"):  # the signature of a call that was presigned
                _put(tree, name.split("."), value)
        for name in ("Action", "Version"):
            tree.pop(name, None)
        if shape is None:
            self._report_unknown(set(tree), place)
            return {}
        read: dict[str, Any] = self._from_form(tree, shape, place)
        return read

    def _from_form(self, node: Any, shape: Any, place: str) -> Any:
        kind = shape.type_name
        if kind == "structure" and isinstance(node, dict):
            form_name = _ec2_name if self.is_ec2 else _form_name
            names = {form_name(name, member): name for name, member in shape.members.items()}
            self._report_unknown(set(node) - set(names), place)
            return {
                names[key]: self._from_form(item, shape.members[names[key]], f"{place}.{key}")
                for key, item in node.items()
                if key in names
            }
        is_flat = bool(shape.serialization.get("flattened"))
        if kind == "list":
            # EC2 flattens every list, whatever its model says.
            name = "" if is_flat or self.is_ec2 else shape.member.serialization.get("name", "member")
            items = self._numbered(node, name, place)
            return [self._from_form(item, shape.member, f"{place}[{at}]") for at, item in enumerate(items)]
        if kind == "map":
            entries = self._numbered(node, "" if is_flat else "entry", place)
            return dict(self._form_entry(entry, shape, place) for entry in entries)
        return self.text(node, shape, place)

    def _numbered(self, node: Any, name: str, place: str) -> list[Any]:
        """Return the items that are below `name`, in the order of their numbers; an empty list is an empty text."""
        if name and isinstance(node, dict):
            self._report_unknown(set(node) - {name}, place)
            node = node.get(name, {})
        if not isinstance(node, dict):
            if node:
                self.problems.append(f"{place} is not numbered: {node!r}")
            return []
        self._report_unknown({key for key in node if not NUMBER.fullmatch(key)}, place)
        return [node[key] for key in sorted((key for key in node if NUMBER.fullmatch(key)), key=int)]

    def _form_entry(self, entry: Any, shape: Any, place: str) -> tuple[str, Any]:
        parts = entry if isinstance(entry, dict) else {}
        key = parts.get(shape.key.serialization.get("name", "key"))
        value = parts.get(shape.value.serialization.get("name", "value"))
        if not isinstance(key, str) or value is None:
            self.problems.append(f"an entry of {place} has no key or no value")
            return "", None
        return key, self._from_form(value, shape.value, f"{place}.{key}")

    def xml(self, element: ElementTree.Element, shape: Any, place: str) -> Any:
        """Return an element of XML as a value of the shape."""
        kind = shape.type_name
        if kind == "structure":
            return self._from_elements(element, shape, place)
        if kind == "list":
            name = shape.member.serialization.get("name", "member")
            self._report_unknown({_tag(item) for item in element} - {name}, place)
            return [self.xml(item, shape.member, f"{place}[{at}]") for at, item in enumerate(element)]
        if kind == "map":
            return dict(self._entry(item, shape, place) for item in element)
        return self.text(element.text or "", shape, place)

    def _from_elements(self, element: ElementTree.Element, shape: Any, place: str) -> dict[str, Any]:
        names = {_element_name(name, member): name for name, member in shape.members.items()}
        members: dict[str, Any] = {
            names[attribute]: value for attribute, value in _attributes(element).items() if attribute in names
        }
        for child in element:
            tag = _tag(child)
            name = names.get(tag)
            if name is None:
                self._report_unknown({tag}, place)
                continue
            member, where = shape.members[name], f"{place}.{name}"
            if not member.serialization.get("flattened"):
                members[name] = self.xml(child, member, where)
            elif member.type_name == "list":
                members.setdefault(name, []).append(self.xml(child, member.member, where))
            else:
                members.setdefault(name, {}).update([self._entry(child, member, where)])
        return members

    def _entry(self, element: ElementTree.Element, shape: Any, place: str) -> tuple[str, Any]:
        parts = {_tag(part): part for part in element}
        key = parts.get(shape.key.serialization.get("name", "key"))
        value = parts.get(shape.value.serialization.get("name", "value"))
        if key is None or value is None:
            self.problems.append(f"an entry of {place} has no key or no value")
            return "", None
        return key.text or "", self.xml(value, shape.value, place)

    def headers(self, headers: Mapping[str, str], shape: Any) -> dict[str, Any]:
        """Return the members of the shape that are headers; the names in `headers` are in lower case."""
        members: dict[str, Any] = {}
        for name, member in shape.members.items():
            stated = member.serialization.get("name", name).lower()
            if member.serialization.get("location") == "header" and stated in headers:
                members[name] = self.text(headers[stated], member, name)
        return members

    def text(self, text: Any, shape: Any, place: str) -> Any:
        """Return a scalar of the shape that was written as text."""
        kind = shape.type_name
        try:
            if kind in ("integer", "long"):
                return int(text)
            if kind in ("float", "double"):
                return float(text)
            if kind == "boolean":
                return TRUTH[text.lower()]
            if kind == "timestamp":
                _check_time(text)
            if kind == "list":
                return [part.strip() for part in text.split(",")]
        except (AttributeError, KeyError, TypeError, ValueError):
            self.problems.append(f"{place} is not a {kind}: {text!r}")
            return None
        return text

    def _report_unknown(self, names: set[str], place: str) -> None:
        self.problems.extend(f"{place}.{name} is not known to the model" for name in sorted(names))


def _put(tree: dict[str, Any], words: list[str], value: str) -> None:
    for word in words[:-1]:
        inner = tree.setdefault(word, {})
        # A form may give a name both a value and members; the members are what the model knows.
        if not isinstance(inner, dict):
            inner = tree[word] = {}
        tree = inner
    tree.setdefault(words[-1], value)


def _form_name(name: str, member: Any) -> str:
    if member.type_name == "list" and member.serialization.get("flattened"):
        return str(member.member.serialization.get("name") or member.serialization.get("name", name))
    return str(member.serialization.get("name", name))


def _ec2_name(name: str, member: Any) -> str:
    """Return a member's name in a form of EC2: its own name for queries, or its name in XML with a capital."""
    stated = member.serialization.get("queryName")
    other = str(member.serialization.get("name", name))
    return str(stated) if stated else other[:1].upper() + other[1:]


def _element_name(name: str, member: Any) -> str:
    is_flat_list = member.type_name == "list" and member.serialization.get("flattened")
    if is_flat_list and (of_items := member.member.serialization.get("name")):
        return str(of_items)
    return str(member.serialization.get("name", name))


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _attributes(element: ElementTree.Element) -> dict[str, str]:
    """Return the attributes of an element by the names that S3's model has for them."""
    return {f"xsi:{name.rpartition('}')[2]}": value for name, value in element.attrib.items()}


def _check_time(text: str) -> None:
    """Raise ValueError if a text is a time neither as ISO 8601 nor as HTTP write it, nor seconds since 1970."""
    if text.replace(".", "", 1).isdigit():
        return
    try:
        # Python 3.11 and later read every form of ISO 8601 that AWS writes, with its Z.
        datetime.fromisoformat(text)
    except ValueError:
        parsedate_to_datetime(text)
