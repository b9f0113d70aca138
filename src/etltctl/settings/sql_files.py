"""The .sql files of `[sql.NAME]` before they run: their text, and what is wrong with it as far as this machine sees."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from etltctl.errors import ConfigurationError, guess_text
from etltctl.settings.files import read_text
from etltctl.settings.project_names import NAMED_TABLE

if TYPE_CHECKING:
    from etltctl.settings.model import Settings

# What holds no keyword and ends no statement: comments, texts, quoted names. By Trino's grammar (SqlBase.g4), in which
# a doubled quote does not end a text.
_OPAQUE = re.compile(r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"", re.DOTALL)
_QUERY = re.compile(r"\s*(select|with)\b", re.IGNORECASE)


def read_query(settings: Settings, name: str) -> str:
    """Return the query in the file of `sql.NAME`, without the semicolon at its end.

    Every character keeps its line and column, so that a place in an error of Athena is a place in the file.

    Args:
        settings: The settings.
        name: A name in `sql`.

    Raises:
        ConfigurationError: The file cannot be read.
    """
    path = settings.sql_path(name)
    try:
        text = read_text(path)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"the file of sql.{name} cannot be read: {error}", hint=f"check sql.{name}.file"
        ) from error
    ends = _without_opaque(text).rstrip()
    # Blanked and not cut off: a comment may follow the semicolon.
    return f"{text[: len(ends) - 1]} {text[len(ends) :]}" if ends.endswith(";") else text


def with_tables(query: str, name_of: Callable[[str], str]) -> str:
    """Return the query with each `{layer.table}` replaced by the table's name at Athena.

    Braces in a text, a quoted name or a comment stay as they are.

    Args:
        query: The query, which has no problem.
        name_of: Returns the name by which a query reads a table.
    """
    parts, end = [], 0
    for named in NAMED_TABLE.finditer(_without_opaque(query)):
        parts += [query[end : named.start()], name_of(named[1])]
        end = named.end()
    return "".join([*parts, query[end:]])


def digest_of(query: str) -> str:
    """Return a short text that stands for the query: it differs for another query."""
    return hashlib.sha256(query.encode()).hexdigest()[:16]


def query_problems(settings: Settings, name: str) -> Iterator[str]:
    """Yield what is wrong with the file of `sql.NAME`, with its place.

    Args:
        settings: The settings.
        name: A name in `sql`.
    """
    at, path = settings.place_of("sql", name, "file"), settings.sql_path(name)
    if not path.is_file():
        yield f"{at}: sql.{name} has no such file: {path}"
        return
    try:
        query = read_query(settings, name)
    except ConfigurationError as error:
        yield f"{at}: {error.message}"
        return
    code = _without_opaque(query)
    if not _QUERY.match(code):
        yield f"{at}: sql.{name}.file must be one SELECT, which may begin with WITH: {path}{_place(code, _first(code))}"
    if ";" in code:
        yield f"{at}: sql.{name}.file has more than one statement: {path}{_place(code, code.index(';'))}"
    yield from (f"{at}: {path}{problem}" for problem in _unknown_tables(settings, name, query))


def _unknown_tables(settings: Settings, name: str, query: str) -> Iterator[str]:
    """Yield the place and the fault of each `{layer.table}` that the settings of the query do not name."""
    reads = settings.sql[name].reads
    first: dict[str, re.Match[str]] = {}
    for named in NAMED_TABLE.finditer(_without_opaque(query)):
        first.setdefault(named[1], named)
    for named in first.values():
        if named[1] not in reads:
            guess = guess_text(named[1], reads)
            yield f"{_place(query, named.start())}: {named[0]} is not in sql.{name}.reads{guess}"


def _without_opaque(query: str) -> str:
    """Return the query with blanks in place of comments, texts and quoted names; every line keeps its length."""
    return _OPAQUE.sub(lambda part: re.sub(r"[^\n]", " ", part[0]), query)


def _first(code: str) -> int:
    """Return the position of the first character that is not a blank; 0 if there is none."""
    return max(len(code) - len(code.lstrip()), 0) if code.strip() else 0


def _place(text: str, position: int) -> str:
    """Return a position as `:line:column`, both from 1."""
    before = text[:position]
    return f":{before.count(chr(10)) + 1}:{position - before.rfind(chr(10))}"
