"""Secrets that stand in the settings file themselves, and references to secrets that are not written as such."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from etltctl.settings.connector_config import is_literal_secret
from etltctl.settings.connector_problems import marked_of_manifest
from etltctl.settings.layers import KeyPath, is_in_file
from etltctl.settings.notify import holds_token
from etltctl.settings.secrets import has_password, is_reference, is_secret, may_refer, reference_fault
from etltctl.settings.toml_tables import key_text, leaves
from etltctl.values import sounds_secret

if TYPE_CHECKING:
    from etltctl.settings.model import Settings


def secret_problems(settings: Settings) -> Iterator[str]:
    """Yield each secret in the file and each reference of another form, with its place in front and no value.

    A secret in an environment variable or a flag is in no file, and so no problem.

    Args:
        settings: The settings, which load.
    """
    # A loaded value does not say where it comes from.
    origins = {value.key: value.origin for value in settings.values()}
    marked = {name: marked_of_manifest(settings, name) for name in settings.sources}
    for path, value in leaves(settings.model_dump(), in_lists=True):
        key = key_text(path)
        if isinstance(value, str) and may_refer(".".join(path)) and (fault := reference_fault(value)):
            yield f"{settings.place_of(*path)}: {key} {fault}"
        elif (what := _literal_secret(settings, path, value, marked)) and is_in_file(_origin(path, origins)):
            yield (
                f"{settings.place_of(*path)}: {key} holds {what}: put it into a variable and write "
                f'"env:{_variable(path)}" (or file:PATH, ssm:/path, secretsmanager:id#key)'
            )


def _literal_secret(
    settings: Settings, path: KeyPath, value: Any, marked: Mapping[str, frozenset[str]]
) -> str:
    """Return what kind of secret a value is, in words; empty if it is none."""
    if path[0] == "sources" and path[2:3] == ("config",):
        return "the secret itself" if is_literal_secret(path[3:], value, marked[path[1]]) else ""
    if not isinstance(value, str) or is_reference(value):
        return ""
    if has_password(value):
        return "a password"
    if path[0] == "notify" and path[-1] == "url":
        return "the secret itself" if holds_token(settings.notify[path[1]].kind, value) else ""
    # Such as `token_url`: its name sounds like a secret, its value is not one. Those of `tables` are names of columns.
    is_plain = "://" in value or path[0] == "tables"
    name = _named(path)[-1]
    is_named = is_secret(".".join(path)) or sounds_secret(name, may_name_column=True)
    return "the secret itself" if is_named and not is_plain else ""


def _origin(path: KeyPath, origins: Mapping[str, str]) -> str:
    """Return where a value comes from. A list is one setting, so that an item has the origin of the list."""
    above = (key_text(path[:length]) for length in range(len(path), 0, -1))
    return next((origins[key] for key in above if key in origins), "")


def _named(path: KeyPath) -> KeyPath:
    """Return a path up to its last name: the items of a list have numbers and no names."""
    last = next((number for number in range(len(path), 1, -1) if not path[number - 1].isdigit()), 1)
    return path[:last]


def _variable(path: KeyPath) -> str:
    """Return a variable for a secret, named after the source or the section and the value."""
    begin = path[1:2] if path[0] in ("sources", "notify") else path[:1]
    words = (*begin, *path[len(_named(path)) - 1 :])
    return re.sub(r"[^A-Z0-9]+", "_", "_".join(words).upper()).strip("_")
