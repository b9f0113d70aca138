"""Set up: the CloudFormation stack of an environment on AWS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from etltctl.cli.groups import group
from etltctl.cli.session import LOCAL, Session
from etltctl.errors import ConfigurationError, ExitCode

if TYPE_CHECKING:
    from etltctl.cloudformation import StackEvent
    from etltctl.infrastructure import Plan, Removal, Watcher
    from etltctl.settings import Settings

app = group("Plan, deploy and take down what the pipelines need on AWS.")
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do it without a plan that was looked at before.")]
# What a deployment did with Airbyte's secret, by the state it found: the word in JSON, and the sentence.
SECRET = {
    "there": ("there", ""),
    "missing": ("made", " Airbyte's secret is made, and empty: put its values in by hand."),
    "scheduled for deletion": ("restored", " Airbyte's secret is restored, with its old values."),
}
SIGNS = {"add": "+", "import": "+", "modify": "~", "replace": "±", "may replace": "±", "remove": "-"}


@app.command("plan")
def plan_stack(
    context: typer.Context,
    detailed_exitcode: Annotated[
        bool, typer.Option("--detailed-exitcode", help="Exit 10 if there is something to do.")
    ] = False,
) -> int:
    """Show what a deployment would add, modify, replace and remove, and refuse what would lose data."""
    from etltctl.infrastructure import plan

    session: Session = context.obj
    settings = _on_aws(session)
    with session.console.working("change set"):
        made = plan(settings, on_plan=lambda made: _show_plan(session, made))
    return ExitCode.CHANGES if detailed_exitcode and not made.is_empty else ExitCode.OK


@app.command("deploy")
def deploy_stack(context: typer.Context, yes: Yes = False) -> None:
    """Make AWS what the settings say, scripts and DAGs included; come back to a deployment that goes on."""
    from etltctl.infrastructure import deploy

    session: Session = context.obj
    settings = _on_aws(session)
    with session.console.working("deploying"):
        done = deploy(settings, _watcher(session), yes=yes)
    text = f"Stack {done.stack} is {done.word}: {done.changes} changes, {done.files} files uploaded."
    secret, sentence = SECRET[done.secret]
    text += sentence
    if done.is_nothing:
        text = f"Nothing to do: stack {done.stack} is {done.word} and as the settings say."
    document = {
        "schema": "etltctl.infra-deploy/1",
        "stack": done.stack,
        "status": done.word,
        "changes": done.changes,
        "files": done.files,
        "secret": secret,
        "outputs": dict(done.outputs),
    }
    told = [text, *(f"  {name}: {value}" for name, value in done.outputs.items())]
    session.console.result(document, "\n".join(told))


@app.command("destroy")
def destroy_stack(
    context: typer.Context,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Delete it; without, only say what would go.")
    ] = False,
) -> None:
    """Delete the stack; buckets, databases, the key and secrets stay."""
    from etltctl.infrastructure import destroy

    session: Session = context.obj
    settings = _on_aws(session)
    with session.console.working("destroying"):
        removed = destroy(settings, _watcher(session), yes=yes)
    document = {
        "schema": "etltctl.infra-destroy/1",
        "stack": removed.stack,
        "removed": [resource.logical_id for resource in removed.goes],
        "kept": {resource.logical_id: resource.physical_id for resource in removed.stays},
    }
    if not removed.was_there:
        text = f"There is no stack {removed.stack}; nothing was changed."
    elif removed.stays:
        text = (
            f"Stack {removed.stack} is gone; {len(removed.stays)} resources stay. To deploy it again with them, run "
            "`etltctl infra plan`: it prints the settings that take them in."
        )
    else:
        text = f"Stack {removed.stack} is gone; nothing of it stays."
    session.console.result(document, text)


@app.command("export")
def export_template(context: typer.Context) -> None:
    """Write the template that the settings make; it needs no account."""
    from etltctl.infrastructure import export

    session: Session = context.obj
    text = export(_on_aws(session))
    session.console.result({"schema": "etltctl.infra-export/1", "template": text}, text)


@app.command("test-alarm")
def test_alarm(context: typer.Context) -> None:
    """Publish a test message to the alarm topic, and name its confirmed readers."""
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
    if settings.env == LOCAL:
        raise ConfigurationError(
            "the environment local has no AWS account to deploy to; its server makes everything it needs by itself",
            hint="etltctl infra plan --env aws, with AWS credentials; etltctl infra export --env aws needs none",
        )
    return settings


def _watcher(session: Session) -> Watcher:
    from etltctl.infrastructure import Watcher

    return Watcher(
        on_plan=lambda made: _tell_plan(session, made),
        on_removal=lambda removal: _tell_removal(session, removal),
        on_event=lambda event: _tell_event(session, event),
    )


def _show_plan(session: Session, made: Plan) -> None:
    from etltctl.infrastructure.sizing import told_costs

    rows = [
        (f"{SIGNS.get(c.action, '?')} {c.action}", c.resource, c.type, c.id, c.size, c.because)
        for c in made.changes
    ]
    columns = ("change", "resource", "type", "id", "size", "because")
    stack, files = made.blueprint.names.stack, list(made.missing_files)
    costs = {cost.part: cost.usd for cost in made.costs}
    session.console.rows(
        "etltctl.infra-plan/1", columns, rows, none=made.summary(), stack=stack, new=made.is_new, files=files,
        monthly_usd=costs,
    )  # fmt: skip
    if rows:
        session.console.say(made.summary())
    session.console.say(told_costs(made.costs))


def _tell_plan(session: Session, made: Plan) -> None:
    for change in made.changes:
        because = f"  {', '.join(change.because)}" if change.because else ""
        session.console.say(
            f"  {SIGNS.get(change.action, '?')} {change.action:<11} {change.resource:<28} {change.type}{because}"
        )
    session.console.say(made.summary())


def _tell_removal(session: Session, removal: Removal) -> None:
    for word, resources in (("goes", removal.goes), ("stays", removal.stays)):
        for resource in resources:
            session.console.say(
                f"  {word:<5} {resource.logical_id:<28} {resource.type:<32} {resource.physical_id}"
            )


def _tell_event(session: Session, event: StackEvent) -> None:
    told = f"  {event.at.astimezone():%H:%M:%S} {event.status:<20} {event.logical_id:<28} {event.type}"
    session.console.say(f"{told}  {event.reason}".rstrip())
