"""Consent at the front door: a command that changes a protected environment asks before it changes anything.

Only commands ask. The library functions that the tasks of a DAG call never do, because no one can answer there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from etltctl.cli.session import Session
from etltctl.errors import BlockedError, Command, NextStep, command
from etltctl.tabulating import capitalized

if TYPE_CHECKING:
    from etltctl.settings import Settings

YES = "--yes"
Yes = Annotated[bool, typer.Option(YES, "-y", help="Agree to every change without being asked.")]


def require_consent(
    session: Session, settings: Settings, action: str, *, yes: bool, named: Sequence[str] = ()
) -> None:
    """Ask before a command changes a protected environment; without a terminal only `--yes` agrees.

    Args:
        session: The invocation.
        settings: The settings of the environment.
        action: What the command is about to do, as the question names it, such as "run pipeline mongodb".
        yes: Whether the caller agreed with `--yes`.
        named: What the command chose by default, such as the newest run. The command of the refusal names it, because
            without it the same words may mean another run by then.

    Raises:
        BlockedError: The caller did not agree. Nothing was started or changed.
    """
    if yes or not settings.protected:
        return
    question = f"Environment {settings.env} is protected. {capitalized(action)}? [y/n]"
    if session.console.ask(question).lower().startswith("y"):
        return
    raise BlockedError(
        f"environment {settings.env} is protected, and it was not confirmed to {action}; "
        "nothing was started or changed",
        hint=NextStep("if you mean it: ", confirmed(session.arguments, named)),
    )


def require_clear(session: Session, source: str, *, yes: bool) -> None:
    """Ask before what bronze holds of a source is deleted; without a terminal only `--yes` agrees.

    Args:
        session: The invocation.
        source: The source.
        yes: Whether the caller agreed with `--yes`.

    Raises:
        BlockedError: The caller did not agree. Nothing was deleted.
    """
    action = f"delete what bronze holds of {source}"
    lost = "Rows that the source no longer has are lost."
    if yes or session.console.ask(
        f"{capitalized(action)} and read it again? {lost} [y/n]"
    ).lower().startswith("y"):
        return
    raise BlockedError(
        f"it was not confirmed to {action}; nothing was deleted or started",
        hint=NextStep("if you mean it: ", confirmed(session.arguments)),
    )


def require_choice(
    session: Session, action: str, run_id: str, *, yes: bool, is_named: bool, is_protected: bool
) -> None:
    """Ask before a command stops something that the caller did not name; without a terminal only `--yes` agrees.

    Args:
        session: The invocation.
        action: What the command is about to do, as the question names it, such as "cancel run R".
        run_id: The run that the command chose.
        yes: Whether the caller agreed with `--yes`.
        is_named: Whether the caller named the run, so that no question is needed.
        is_protected: Whether the environment is protected, so that `require_consent` has asked already.

    Raises:
        BlockedError: The caller did not agree. Nothing was stopped.
    """
    if yes or is_named or is_protected:
        return
    if session.console.ask(f"No run was named. {capitalized(action)}? [y/n]").lower().startswith("y"):
        return
    raise BlockedError(
        f"no run was named, and it was not confirmed to {action}; nothing was stopped",
        hint=NextStep("if you mean this run: ", Command((*_words_with(session.arguments, (run_id,)),))),
    )


def require_ending(session: Session, settings: Settings, *, yes: bool) -> None:
    """Say which runs end with the embedded server, and ask a person at a terminal before it is stopped.

    A program is not asked: it ends a server that it started, whatever became of the run.

    Args:
        session: The invocation.
        settings: The settings of the server's environment.
        yes: Whether the caller agreed with `--yes`.

    Raises:
        BlockedError: The person did not agree. The server goes on.
    """
    from etltctl.history import live_runs, live_text
    from etltctl.local.client import began, find_server

    server = find_server(settings)
    if server is None or not (runs := live_runs(settings, began(server))):
        return
    end = "ends" if len(runs) == 1 else "end"
    session.console.warn(f"{live_text(runs)} on the embedded server, and {end} with it")
    if yes or not session.console.is_asking:
        return
    if not session.console.ask("End the server all the same? [y/n]").lower().startswith("y"):
        raise BlockedError(
            "the embedded server was not ended: a run is live on it",
            hint=NextStep("follow it: ", command("runs", "watch", runs[0].run_id)),
        )


def consent_to_start(
    session: Session, settings: Settings, run: Sequence[Mapping[str, Any]], *, yes: bool, is_named: bool
) -> Callable[[Sequence[object]], None]:
    """Return what asks before a command that follows a run starts the steps that are left of it.

    Args:
        session: The invocation.
        settings: The settings of the environment.
        run: The run's events.
        yes: Whether the caller agreed with `--yes`.
        is_named: Whether the caller named the run.
    """
    run_id = str(run[0]["run_id"])

    def require(steps: Sequence[object]) -> None:
        if not steps:
            return
        if settings.protected and not yes:
            session.settle()  # a live view would draw over the question
        action = f"start {', '.join(map(str, steps))} of run {run_id}"
        require_consent(session, settings, action, yes=yes, named=() if is_named else (run_id,))

    return require


def confirmed(words: Sequence[str], named: Sequence[str] = ()) -> Command:
    """Return the command of this invocation with the consent in it.

    Args:
        words: The words of the invocation, after `etltctl`.
        named: Arguments that it takes in addition.
    """
    return Command(_words_with(words, (*named, YES)))


def _words_with(words: Sequence[str], more: Sequence[str]) -> tuple[str, ...]:
    # In front of `--`, behind which every word is an argument.
    end = words.index("--") if "--" in words else len(words)
    return (*words[:end], *more, *words[end:])
