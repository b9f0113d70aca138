"""Investigate: why a run failed."""

from __future__ import annotations

from typing import Annotated

import typer

from etltctl.cli.session import Session
from etltctl.errors import UsageError, command


def why(
    context: typer.Context,
    run_id: Annotated[
        str,
        typer.Argument(
            help="the run, or the end of its id; the run of steps that failed last if none is named"
        ),
    ] = "",
    code: Annotated[
        str, typer.Option("--code", help="Explain this code, such as G117, instead of a run.")
    ] = "",
) -> None:
    """Explain why a run failed: cause, proof, next command. Calls no service but the state's S3."""
    from etltctl.causes import cause_of_code
    from etltctl.explanation import code_document, code_text, document, explain, text_of

    session: Session = context.obj
    spell = session.console.spell
    if code and run_id:
        raise UsageError("a run and --code exclude each other", hint=command("why", "--code", code))
    if code:
        cause = cause_of_code(code)
        session.console.result(code_document(cause, spell), code_text(cause, spell))
        return
    with session.reading(session.load_for_record()) as settings:
        explanation = explain(settings, run_id)
    session.console.result(document(explanation, spell), text_of(explanation, spell))
