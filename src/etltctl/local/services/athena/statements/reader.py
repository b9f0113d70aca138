"""A reader of Hive's DDL: its tokens, their places, and the parts that its statements share."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from etltctl.hive import parse_type
from etltctl.local.services.athena.dialect import MalformedQueryError, QueryError, TableName
from etltctl.local.services.athena.dialect.names import CATALOG

TOKEN = re.compile(
    r"""(?P<space>\s+|\ufeff|--[^\n]*|/\*.*?\*/)|(?P<text>'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*")"""
    r"""|(?P<quoted>`(?:[^`]|``)*`)|(?P<word>\w+)|(?P<sign>.)""",
    re.DOTALL,
)
# What a backslash makes of the next characters of a text. `\%` and `\_` keep it: they are for LIKE.
ESCAPE = re.compile(r"\\([0-3][0-7]{2}|u[0-9A-Fa-f]{4}|.)", re.DOTALL)
ESCAPED = {
    "0": "\0", "b": "\b", "n": "\n", "r": "\r", "t": "\t", "Z": "\x1a", "%": r"\%", "_": r"\_",
}  # fmt: skip
SCALARS = frozenset([
    "boolean", "tinyint", "smallint", "int", "bigint", "float", "double", "decimal", "char", "varchar",
    "string", "binary", "date", "timestamp", "array", "map", "struct",
])  # fmt: skip


@dataclass(frozen=True)
class Token:
    """A token: its kind (`text`, `quoted`, `word`, `sign` or `end`), its text, and where it begins."""

    kind: str
    text: str
    at: int

    @property
    def word(self) -> str:
        """The word in capitals; empty for a token that is not a bare word."""
        return self.text.upper() if self.kind == "word" else ""


class Reader:
    """The tokens of one statement, read from the first to the last.

    Args:
        sql: The statement. A semicolon may follow it.
    """

    def __init__(self, sql: str) -> None:
        self.sql = sql
        self._tokens = list(_tokens(sql))
        self._index = 0

    @property
    def next(self) -> Token:
        """The token that is read next."""
        return self._tokens[self._index]

    @property
    def after_next(self) -> Token:
        """The token behind the next one."""
        return self._tokens[min(self._index + 1, len(self._tokens) - 1)]

    def take(self) -> Token:
        """Read one token."""
        token = self.next
        # The last token marks the end, and stays there for whatever still asks.
        self._index = min(self._index + 1, len(self._tokens) - 1)
        return token

    def accept(self, *words: str) -> bool:
        """Read these words if all of them follow, and return whether they did."""
        if not self.accepts(*words):
            return False
        self._index += len(words)
        return True

    def accepts(self, *words: str) -> bool:
        """Return whether these words follow, and read none of them."""
        following = self._tokens[self._index : self._index + len(words)]
        return [token.word or token.text for token in following] == list(words)

    def expect(self, *words: str) -> None:
        """Read these words, one after the other.

        Raises:
            MalformedQueryError: Another follows.
        """
        for word in words:
            if not self.accept(word):
                raise self.mismatch(word)

    # Athena's DDL goes to Hive, so its names and texts are quoted by Hive's rules, not by those of a query.
    def name(self) -> str:
        """Read a name, bare or between backticks, and return it in lower case.

        Hive takes double quotes for those of a text, so a name cannot stand between them.
        """
        if self.next.kind not in ("word", "quoted"):
            raise self.mismatch("<identifier>")
        # The catalog has lower-case names only, so even a quoted name loses its case.
        token = self.take()
        return (token.text if token.kind == "word" else token.text[1:-1].replace("``", "`")).lower()

    def table(self, database: str) -> TableName:
        """Read the name of a table or a view, which may have a database and a catalog."""
        line, column = self.place(self.next)
        parts = [self.name()]
        while self.accept("."):
            parts.append(self.name())
        if len(parts) == 1:  # SHOW CREATE TABLE writes `database.table`, and Hive reads it back
            parts = parts[0].split(".")
        if len(parts) > 3:
            raise MalformedQueryError(f"Invalid table name {'.'.join(parts)}")
        if len(parts) == 3 and parts[0] != CATALOG:
            raise QueryError(
                "CATALOG_NOT_FOUND", f"line {line}:{column}: Catalog '{parts[0]}' does not exist"
            )
        return TableName(parts[-2] if len(parts) > 1 else database.lower(), parts[-1], line, column)

    def text(self) -> str:
        """Read a text in quotes and return its value."""
        if self.next.kind != "text":
            raise self.mismatch("<string>")
        return unquoted(self.take().text)

    def literal(self) -> str:
        """Read a text, a number or a word, such as the value of a partition column."""
        if self.next.kind == "text":
            return self.text()
        sign = "-" if self.accept("-") else ""
        if self.next.kind != "word":
            raise self.mismatch("<string>", "<integer>")
        value = self.take().text
        while self.accept("."):
            value += f".{self.take().text}"
        return sign + value

    def properties(self) -> dict[str, str]:
        """Read `('key'='value', …)`."""
        properties = {}
        self.expect("(")
        while True:
            key = self.text()
            self.expect("=")
            properties[key] = self.text()
            if not self.accept(","):
                self.expect(")")
                return properties

    def partition(self) -> dict[str, str]:
        """Read `(column = value, …)` after the word PARTITION."""
        values = {}
        self.expect("(")
        while True:
            column = self.name()
            self.expect("=")
            values[column] = self.literal()
            if not self.accept(","):
                self.expect(")")
                return values

    def columns(self) -> list[dict[str, str]]:
        """Read `(name type [COMMENT 'text'], …)` as the catalog keeps columns."""
        columns = []
        self.expect("(")
        while True:
            column = {"Name": self.name(), "Type": self.type()}
            if self.accept("COMMENT"):
                column["Comment"] = self.text()
            columns.append(column)
            if not self.accept(","):
                self.expect(")")
                return columns

    def type(self) -> str:
        """Read a type of Hive and return it as the catalog words it.

        Raises:
            QueryError: Hive has no such type.
        """
        first = self.next
        text = self._type_name()
        try:
            return str(parse_type(text))
        except ValueError as error:
            raise self._no_type(first) from error

    def _type_name(self) -> str:
        first = self.take()
        # Hive has both words; the catalog keeps the short one.
        name = {"INTEGER": "int"}.get(first.word, first.word.lower())
        if name not in SCALARS or (name in ("char", "varchar") and self.next.text != "("):
            raise self._no_type(first)
        if self.accept("("):
            numbers = [self.take().text]
            while self.accept(","):
                numbers.append(self.take().text)
            self.expect(")")
            return f"{name}({','.join(numbers)})"
        if name not in ("array", "map", "struct"):
            return name
        self.expect("<")
        parts = [self._field(name)]
        while self.accept(","):
            parts.append(self._field(name))
        self.expect(">")
        return f"{name}<{','.join(parts)}>"

    def _field(self, kind: str) -> str:
        if kind != "struct":
            return self._type_name()
        name = self.name()
        self.expect(":")
        return f"{name}:{self._type_name()}"

    def end(self) -> None:
        """Require the end of the statement."""
        self.accept(";")
        if self.next.kind != "end":
            raise self.mismatch("<EOF>")

    def mismatch(self, *expected: str) -> QueryError:
        """Build the error of a token that the grammar does not have here."""
        line, column = self.place(self.next)
        words = ", ".join(word if word.startswith("<") else f"'{word}'" for word in expected)
        return MalformedQueryError(
            f"line {line}:{column}: mismatched input '{self.next.text}'. Expecting: {words}"
        )

    def no_alternative(self, text: str) -> QueryError:
        """Build the error of a text up to the next token that begins no statement."""
        line, column = self.place(self.next)
        return MalformedQueryError(f"line {line}:{column}: no viable alternative at input '{text}'")

    def place(self, token: Token) -> tuple[int, int]:
        """Return the line and the column where a token begins, both counted from 1."""
        before = self.sql[: token.at]
        return before.count("\n") + 1, token.at - before.rfind("\n")

    def _no_type(self, token: Token) -> QueryError:
        line, column = self.place(token)
        return QueryError(
            "FAILED",
            f"ParseException line {line}:{column - 1} cannot recognize input near '{token.text}' in column type",
        )


def _tokens(sql: str) -> Iterator[Token]:
    for match in TOKEN.finditer(sql):
        kind = match.lastgroup or "sign"
        if kind == "sign" and match[0] in "'\"`":
            line, column = (
                sql.count("\n", 0, match.start()) + 1,
                match.start() - sql.rfind("\n", 0, match.start()),
            )
            raise MalformedQueryError(
                f"line {line}:{column}: mismatched input '{match[0]}', which is not closed"
            )
        if kind != "space":
            yield Token(kind, match[0], match.start())
    yield Token("end", "<EOF>", len(sql))


def unquoted(text: str) -> str:
    """Return the value of a text that stands between quotes."""
    # To Hive a doubled quote ends a text and begins the next one, and texts that touch are one: `'it''s'` is `its`.
    quote = text[0]
    return ESCAPE.sub(_unescaped, text[1:-1].replace(quote * 2, ""))


def _unescaped(match: re.Match[str]) -> str:
    code = match[1]
    if len(code) == 3:
        return chr(int(code, 8))
    if len(code) == 5:
        return chr(int(code[1:], 16))
    return ESCAPED.get(code, code)
