"""Plan and apply as commands, written once: options that mean the same in every group, and what each prints."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from etltctl.cli.session import Session
from etltctl.errors import ExitCode

if TYPE_CHECKING:
    from etltctl.plans import Change, Plan
    from etltctl.settings import Settings

DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would change; change nothing.")]
DetailedExitcode = Annotated[
    bool, typer.Option("--detailed-exitcode", help="Exit 10 if there is anything to change.")
]
LABEL_WIDTH = 12  # of a change that is printed when it is made: the longest label of any group


def show_plan(
    session: Session, command: str, make: Callable[[Settings], Plan[Change]], *, detailed: bool = False
) -> int:
    """Make a plan, print it and return the exit code.

    Args:
        session: The invocation.
        command: The command group, such as `govern`.
        make: Makes the plan.
        detailed: Whether a plan with changes exits 10.
    """
    # The plan is printed after the block: a live line would stand between its lines.
    with session.connected() as settings, session.console.working(f"{command} plan"):
        plan = make(settings)
    session.console.result({"schema": f"etltctl.{command}-plan/1", **plan.as_dict()}, plan.text())
    return exit_code(plan, detailed=detailed)


def exit_code(plan: Plan[Change], *, detailed: bool) -> int:
    """Return the exit code of a plan: 10 if there is something to do and the caller asked for it, else 0."""
    return ExitCode.OK if plan.is_empty or not detailed else ExitCode.CHANGES


def confirmation(session: Session, *, yes: bool, is_shown: bool = False) -> Callable[[Plan[Change]], bool]:
    """Return the question that is asked before changes that need consent are made.

    `--yes` answers it. Otherwise the plan is printed and the caller answers; where no terminal is attached, the answer
    is no.

    Args:
        session: The invocation.
        yes: Whether the caller agreed to every change with `--yes`.
        is_shown: Whether the plan is printed before the question is asked, with or without `--yes`.
    """

    def confirm(plan: Plan[Change]) -> bool:
        if yes:
            return True
        if not is_shown:
            session.console.say(plan.text())
        return session.console.ask("Make these changes? [y/n]").lower().startswith("y")

    return confirm


def announcement(session: Session) -> Callable[[Change], None]:
    """Return what prints a change when it is made."""
    from etltctl.plans import lines

    return lambda change: session.console.say("\n".join(lines([change], LABEL_WIDTH)))
