"""Set up: the CloudFormation stack of an environment on AWS."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from etltctl.cli.groups import group
from etltctl.cli.plan_commands import DetailedExitcode, DryRun, confirmation, exit_code
from etltctl.cli.protection import Yes
from etltctl.cli.session import Session
from etltctl.errors import ConfigurationError, NextStep, command
from etltctl.values import LOCAL

if TYPE_CHECKING:
    from etltctl.cloudformation import StackEvent
    from etltctl.infrastructure import Plan, Removal, Watcher
    from etltctl.settings import Settings

app = group("Plan, deploy and take down what the pipelines need on AWS.")
# What a deployment did with Airbyte's secret, by the state it was in: the word in JSON, and the sentence.
SECRET = {
    "there": ("there", ""),
    "missing": ("made", " Airbyte's secret is made, and empty: put its values in by hand."),
    "scheduled for deletion": ("restored", " Airbyte's secret is restored, with its old values."),
}


@app.command("plan")
def plan_stack(context: typer.Context, detailed_exitcode: DetailedExitcode = False) -> int:
    """Show what a deployment would change on AWS. Refuses a change that would lose data."""
    from etltctl.infrastructure import plan

    session: Session = context.obj
    settings = _on_aws(session)
    with session.console.working("change set"):
        stack_plan = plan(settings, on_plan=lambda stack_plan: _show_plan(session, stack_plan))
    return exit_code(stack_plan, detailed=detailed_exitcode)


@app.command("deploy")
def deploy_stack(context: typer.Context, yes: Yes = False, dry_run: DryRun = False) -> int:
    """Make AWS match the settings, and upload scripts and DAGs. An interrupted deployment resumes.

    A plan that `infra plan` showed before is carried out without a question.
    """
    from etltctl.infrastructure import deploy

    if dry_run:
        return plan_stack(context)
    session: Session = context.obj
    settings = _on_aws(session)
    with session.console.working("deploying"):
        done = deploy(settings, _watcher(session, yes=yes))
    secret, sentence = SECRET[done.secret]
    text = (
        f"Stack {done.stack} is {done.status}: {done.changes} changes, {done.files} files uploaded.{sentence}"
    )
    if done.is_nothing:
        text = f"Nothing to do: stack {done.stack} is {done.status} and as the settings say."
    document = {
        "schema": "etltctl.infra-deploy/1",
        "stack": done.stack,
        "status": done.status,
        "changes": done.changes,
        "files": done.files,
        "secret": secret,
        "outputs": dict(done.outputs),
    }
    outputs = [f"  {name}: {value}" for name, value in done.outputs.items()]
    session.console.result(document, "\n".join([text, *outputs]))
    return 0


@app.command("destroy")
def destroy_stack(context: typer.Context, yes: Yes = False, dry_run: DryRun = False) -> None:
    """Delete the stack. Buckets, databases, the key and secrets stay."""
    from etltctl.infrastructure import destroy, plan_removal

    session: Session = context.obj
    settings = _on_aws(session)
    if dry_run:
        removal = plan_removal(settings)
        session.console.result(
            {"schema": "etltctl.infra-destroy-plan/1", **removal.as_dict()}, removal.text()
        )
        return
    with session.console.working("destroying"):
        removal = destroy(settings, _watcher(session, yes=yes))
    session.console.result({"schema": "etltctl.infra-destroy/1", **removal.as_dict()}, _outcome(removal))


@app.command("export")
def export_template(context: typer.Context) -> None:
    """Write the template that the settings make. Needs no account."""
    from etltctl.infrastructure import export

    session: Session = context.obj
    text = export(_on_aws(session))
    session.console.result({"schema": "etltctl.infra-export/1", "template": text}, text)


@app.command("test-alarm")
def test_alarm(context: typer.Context) -> None:
    """Send a test message to the alarm topic; list its subscribers."""
    from etltctl.infrastructure import send_test_alarm

    session: Session = context.obj
    sent = send_test_alarm(_on_aws(session))
    document = {
        "schema": "etltctl.infra-test-alarm/1",
        "topic": sent.topic,
        "message_id": sent.message_id,
        "readers": list(sent.readers),
    }
    text = f"A test alarm is on its way to {', '.join(sent.readers)} (message {sent.message_id})."
    session.console.result(document, text)


def _on_aws(session: Session) -> Settings:
    settings = session.load()
    # Refused before any call: the embedded server has no CloudFormation, and its answer would be hard to read.
    if settings.env == LOCAL:
        raise ConfigurationError(
            "the environment local has no AWS account to deploy to; its server makes everything it needs by itself",
            hint=NextStep(
                command("infra", "plan", "--env", "aws"),
                ", with AWS credentials; ",
                command("infra", "export", "--env", "aws"),
                " needs none",
            ),
        )
    return settings


def _watcher(session: Session, *, yes: bool) -> Watcher:
    from etltctl.infrastructure import Watcher

    return Watcher(
        on_plan=lambda plan: session.console.say(plan.text()),
        on_removal=lambda removal: session.console.say(removal.text()),
        on_event=lambda event: _print_event(session, event),
        confirm=confirmation(session, yes=yes, is_shown=True),
    )


def _show_plan(session: Session, stack_plan: Plan) -> None:
    """Print the plan as the result of the command."""
    from etltctl.infrastructure.plan import COLUMNS
    from etltctl.infrastructure.sizes import costs_text

    # A table and not the plan's text, because it has each resource's id and size as well.
    rows = [tuple(change.as_dict().values()) for change in stack_plan.changes]
    stack, files = stack_plan.blueprint.names.stack, list(stack_plan.missing_files)
    costs = {cost.part: cost.usd for cost in stack_plan.costs}
    session.console.rows(
        "etltctl.infra-plan/1", COLUMNS, rows, none=stack_plan.summary(), stack=stack, new=stack_plan.is_new,
        files=files, monthly_usd=costs,
    )  # fmt: skip
    if rows:
        session.console.say(stack_plan.summary())
    session.console.say(costs_text(stack_plan.costs))


def _outcome(removal: Removal) -> str | NextStep:
    """Return what a removal did, in one sentence, and the next command."""
    if not removal.was_there:
        return f"There is no stack {removal.stack}; nothing was changed."
    if removal.stays:
        return NextStep(
            f"Stack {removal.stack} is gone; {len(removal.stays)} resources stay. To deploy it again with them, run `",
            command("infra", "plan"),
            "`: it prints the settings that take them in.",
        )
    return f"Stack {removal.stack} is gone; nothing of it stays."


def _print_event(session: Session, event: StackEvent) -> None:
    line = f"  {event.at.astimezone():%H:%M:%S} {event.status:<20} {event.logical_id:<28} {event.type}"
    session.console.say(f"{line}  {event.reason}".rstrip())
