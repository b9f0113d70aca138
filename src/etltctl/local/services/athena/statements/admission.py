"""The check of a statement's text when it is started: Athena makes no execution of what its grammar does not have."""

from __future__ import annotations

from typing import Any, cast

from etltctl.local.services.athena.dialect import MalformedQueryError, QueryError
from etltctl.local.services.athena.statements.registry import Execution, perform
from etltctl.local.services.athena.tables import Lake


class _ReadError(Exception):
    """The text was read to its end: the statement asks for something of the lake."""


class _NotYet:
    """What stands for the lake and the engine while a text is only read."""

    def __getattr__(self, name: str) -> Any:
        raise _ReadError


def refusal_of(sql: str) -> MalformedQueryError | None:
    """Return the error of a text that Athena refuses at the start, or None.

    Errors of another kind, such as an unknown table or function, fail the execution later.
    """
    nothing = cast("Any", _NotYet())
    # Each statement reads its text before it asks the lake for anything, so that it can be performed up to there.
    execution = Execution(sql, (), "default", nothing, Lake(nothing, nothing), saved=nothing)
    try:
        perform(execution)
    except MalformedQueryError as error:
        return error
    # A text that is too deep for the parser here fails in the process that runs it, with its own error.
    except (_ReadError, QueryError, RecursionError):
        return None
    return None
