"""The clauses around a query in statements of Trino's grammar: names, properties, and where the query begins."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, ClassVar

from sqlglot.dialects.trino import Trino
from sqlglot.errors import TokenError
from sqlglot.tokenizer_core import Token, TokenType

from etltctl.local.services.athena.dialect import MalformedQueryError, QueryError, TableName
from etltctl.local.services.athena.dialect.names import CATALOG
from etltctl.local.services.athena.dialect.tokens import unclosed

TEXTS = (TokenType.STRING, TokenType.NATIONAL_STRING)
UNQUOTED = re.compile(r"[A-Za-z_]\w*")


class _Words(Trino):
    """Trino's tokens, with those of EXPLAIN and EXECUTE, which sqlglot would leave as one text."""

    class Tokenizer(Trino.Tokenizer):
        """The tokenizer."""

        # These commands' words would swallow the rest of the statement.
        COMMANDS: ClassVar[set[TokenType]] = set()


class QueryClauses:
    """The tokens of one statement, read from the first to the last.

    Hive's statements have other quotes: `statements.reader` reads those.
    """

    def __init__(self, sql: str) -> None:
        """Take the text of a statement apart.

        Raises:
            MalformedQueryError: A quote or a comment is not closed.
        """
        self._sql = sql
        try:
            self._tokens: Sequence[Token] = _Words().tokenize(sql)
        except TokenError as error:
            raise unclosed(sql) from error
        # One semicolon may follow, as in the grammar of every other statement.
        if self._tokens and self._tokens[-1].token_type == TokenType.SEMICOLON:
            self._tokens = self._tokens[:-1]
        self._at = 0

    @property
    def line(self) -> str:
        """The place of the token that is read next, as `line 1:5`."""
        token = self._next
        if token is None:
            lines = self._sql.split("\n")
            return f"line {len(lines)}:{len(lines[-1]) + 1}"
        before = self._sql[: token.start]
        return f"line {before.count(chr(10)) + 1}:{token.start - before.rfind(chr(10))}"

    def accept(self, *words: str) -> bool:
        """Read these words if all of them follow, and return whether they did."""
        following = self._tokens[self._at : self._at + len(words)]
        if [_word(token) for token in following] != list(words):
            return False
        self._at += len(words)
        return True

    def expect(self, *words: str) -> None:
        """Read these words, one after the other; raise QueryError if another follows."""
        for word in words:
            if not self.accept(word):
                raise self.mismatch(f"'{word}'")

    def name(self) -> str:
        """Read a name, bare or in double quotes, and return it as it stands there."""
        token = self._next
        if token is None or not _is_name(token):
            raise self.mismatch("<identifier>")
        self._at += 1
        return str(token.text)

    def table(self, database: str) -> TableName:
        """Read the name of a table, which may have a database and a catalog before it."""
        place = self.line
        parts = [self.name().lower()]
        while self.accept("."):
            parts.append(self.name().lower())
        if len(parts) > 3:
            raise QueryError("SYNTAX_ERROR", f"{place}: Too many dots in table name: {'.'.join(parts)}")
        if len(parts) == 3 and parts[0] != CATALOG:
            raise QueryError("CATALOG_NOT_FOUND", f"{place}: Catalog '{parts[0]}' does not exist")
        line, column = map(int, place.removeprefix("line ").split(":"))
        return TableName(parts[-2] if len(parts) > 1 else database.lower(), parts[-1], line, column)

    def column_list(self) -> list[str]:
        """Read `(name, …)` if it follows, and return the names in lower case. A query in brackets is left."""
        # `INSERT INTO t (SELECT …)` begins like a list of columns, so a failed attempt goes back.
        start, names = self._at, list[str]()
        while self.accept("," if names else "("):
            token = self._next
            if token is None or not _is_name(token):
                break
            names.append(self.name().lower())
            if self.accept(")"):
                return names
        self._at = start
        return []

    def text(self) -> str:
        """Read a text in single quotes."""
        token = self._next
        if token is None or token.token_type not in TEXTS:
            raise self.mismatch("<string>")
        self._at += 1
        return str(token.text)

    def properties(self) -> dict[str, Any]:
        """Read `(name = value, …)`.

        A value is a text, a whole number, a boolean or an array of texts, which is a tuple here. Athena compares the
        names as they are written: they must be in lower case.
        """
        properties: dict[str, Any] = {}
        self.expect("(")
        while True:
            # `FORMAT = …` is not `format = …`: the properties' names keep their case.
            place, name = self.line, self.name()
            if name in properties:
                raise QueryError("DUPLICATE_PROPERTY", f"{place}: Duplicate property: {name}")
            self.expect("=")
            properties[name] = self._value()
            if not self.accept(","):
                self.expect(")")
                return properties

    def inside(self) -> str:
        """Read `( … )` and return what stands inside, at its own place in a text that is else empty."""
        self.expect("(")
        first, depth = self._at, 1
        while (token := self._next) is not None:
            # A bracket inside a text or a quoted name is part of that token, so counting is safe.
            depth += {"(": 1, ")": -1}.get(_word(token), 0)
            self._at += 1
            if not depth:
                return self._kept(first, self._at - 1)
        raise self.mismatch("')'")

    def rest(self) -> str:
        """Read all that is left, and return it at its own place in a text that is else empty."""
        first, self._at = self._at, len(self._tokens)
        # Nothing but blanks is left where the text ends too early, so that the error stands at its end.
        return self._kept(first, self._at) or re.sub(r"[^\n]", " ", self._sql)

    def ends_with(self, *words: str) -> bool:
        """Cut these words off the end, and return whether they were there."""
        # Read from the end, because the query before these words may hold them, too.
        if self._at + len(words) > len(self._tokens) or [
            _word(t) for t in self._tokens[-len(words) :]
        ] != list(words):
            return False
        self._tokens = self._tokens[: -len(words)]
        return True

    def values(self) -> list[str]:
        """Read the expressions up to the end, which commas divide, and return their texts."""
        parts: list[str] = []
        first = self._at
        depth = 0
        while (token := self._next) is not None:
            word = _word(token)
            depth += (word in ("(", "[")) - (word in (")", "]"))
            # A comma inside a call or an array belongs to its expression.
            if word == "," and not depth:
                parts.append(self._kept(first, self._at).strip())
                first = self._at + 1
            self._at += 1
        return [*parts, self._kept(first, self._at).strip()]

    def end(self) -> None:
        """Require the end of the statement."""
        if self._next is not None:
            raise self.mismatch("<EOF>")

    def mismatch(self, *expected: str) -> QueryError:
        """Build the error of a token that the grammar does not have here."""
        token = self._next
        text = "<EOF>" if token is None else self._sql[token.start : token.end + 1]
        return MalformedQueryError(
            f"{self.line}: mismatched input '{text}'. Expecting: {', '.join(expected)}"
        )

    @property
    def _next(self) -> Token | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _value(self) -> Any:
        token = self._next
        if token is not None and token.token_type in TEXTS:
            return self.text()
        if token is not None and token.token_type == TokenType.NUMBER and token.text.isdigit():
            self._at += 1
            return int(token.text)
        if self.accept("TRUE"):
            return True
        if self.accept("FALSE"):
            return False
        self.expect("ARRAY", "[")
        if self.accept("]"):
            return ()
        items = [self.text()]
        while self.accept(","):
            items.append(self.text())
        self.expect("]")
        return tuple(items)

    def _kept(self, first: int, last: int) -> str:
        """Return the text of some tokens. The text before them becomes blank, so that errors keep their places."""
        if first >= last:
            return ""
        # Blanks keep line and column, so an error of the inner query points into the whole statement.
        start, end = self._tokens[first].start, self._tokens[last - 1].end + 1
        return re.sub(r"[^\n]", " ", self._sql[:start]) + self._sql[start:end]


def _is_name(token: Token) -> bool:
    return token.token_type == TokenType.IDENTIFIER or UNQUOTED.fullmatch(_word(token)) is not None


def _word(token: Token) -> str:
    """Return the token in capitals, which may be two words; empty for a text or a quoted name."""
    is_word = token.token_type not in (*TEXTS, TokenType.IDENTIFIER)
    return " ".join(token.text.upper().split()) if is_word else ""
