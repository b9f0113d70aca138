"""The command tree, the global flags, and the one boundary where errors become messages and exit codes."""

from __future__ import annotations

import io
import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer
import typer.core

from etltctl.cli import (
    athena,
    backfill,
    connections,
    contract,
    govern,
    infra,
    local,
    notify,
    project,
    run,
    runs,
    source,
    tableau,
    why,
)
from etltctl.cli import lineage as lineage_command
from etltctl.cli import report as report_command
from etltctl.cli import retry as retry_command
from etltctl.cli.arguments import hoisted, named_output, require_command, require_values, words_of
from etltctl.cli.completion import Shell, install, script
from etltctl.cli.corrections import correct
from etltctl.cli.groups import CLICK_SUGGESTS, HELP_NAMES, Abort, CommandLineError, built, show_help
from etltctl.cli.groups import UsageError as WrongCommandLine
from etltctl.cli.hints import Hints
from etltctl.cli.progress import STDOUT
from etltctl.cli.session import Session
from etltctl.console import Console, Output, is_terminal
from etltctl.errors import Command, DetachedError, EtltctlError, ExitCode, NextStep
from etltctl.values import LOCAL

typer.core.HAS_RICH = False  # plain help: importing rich would triple the time to show it
if hasattr(typer.core, "rich"):
    typer.core.rich = None  # typer before 0.17 has imported it by now, and would escape brackets in the help

app = typer.Typer(
    name="etltctl",
    help="Run an Airbyte → S3 → Glue → Athena lake from one command: on a laptop first, on AWS unchanged.",
    epilog="These options may also stand after the command. With no settings file everything runs on this machine.",
    invoke_without_command=True,
    subcommand_metavar="COMMAND [ARGS]...",
    add_completion=False,  # etltctl.cli.completion answers the shells
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": HELP_NAMES, "max_content_width": 100},
    **CLICK_SUGGESTS,
)
# The order is the order in `--help`: running first, then looking, then setting up.
run.add_to(app)
app.command("backfill")(backfill.backfill)
app.command("retry")(retry_command.retry)
app.command("why")(why.why)
runs.app.command("report")(report_command.report)
runs.app.command("lineage")(lineage_command.lineage)
app.command("cost")(runs.cost)
app.command("rollback")(athena.rollback_table)
app.command("doctor")(project.doctor)
app.command("init")(project.init)
app.add_typer(source.app, name="source")
app.add_typer(athena.app, name="athena")
app.add_typer(contract.app, name="contract")
app.add_typer(runs.app, name="runs")
app.add_typer(govern.app, name="govern")
app.add_typer(tableau.app, name="tableau")
app.add_typer(connections.app, name="connections")
app.add_typer(infra.app, name="infra")
app.add_typer(notify.app, name="notify")
app.add_typer(project.config, name="config")
app.add_typer(local.app, name="local")


def _print_version(is_asked: bool) -> None:
    if is_asked:
        from importlib.metadata import version

        typer.echo(f"etltctl {version('etltctl')}")
        raise typer.Exit


def _install_completion_of(shell: Shell | None) -> None:
    if shell is not None:
        path = install(shell, Path.home())
        typer.echo(f"{shell} completes etltctl from its next start on: {path}")
        raise typer.Exit


def _print_completion_of(shell: Shell | None) -> None:
    if shell is not None:
        typer.echo(script(shell)[0], nl=False)
        raise typer.Exit


@app.callback(invoke_without_command=True)
def set_up(
    context: typer.Context,
    config_file: Annotated[
        Path | None, typer.Option("--config", "-c", help="Settings file.  [default: nearest etltctl.toml]")
    ] = None,
    env: Annotated[
        str | None, typer.Option("--env", "-e", help="Environment of the settings, such as local or aws.")
    ] = None,
    use_local: Annotated[bool, typer.Option("--local", help="The same as --env local.")] = False,
    use_aws: Annotated[bool, typer.Option("--aws", help="The same as --env aws.")] = False,
    output: Annotated[
        Output | None, typer.Option("--output", "-o", help="How the result is written.  [default: table]")
    ] = None,
    events: Annotated[
        str,
        typer.Option(
            "--events", metavar="FILE", help="Write the run's events there as they happen; - is stdout."
        ),
    ] = "",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only the result.")] = False,
    verbose: Annotated[
        int,
        typer.Option(
            "--verbose", "-v", count=True, show_default=False, help="Say more; -vv adds tracebacks."
        ),
    ] = 0,
    no_color: Annotated[bool, typer.Option("--no-color", help="Plain lines, no live progress.")] = False,
    _show_version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version and exit."),
    ] = False,
    _install_completion: Annotated[
        Shell | None,
        typer.Option(
            "--install-completion",
            is_eager=True,
            callback=_install_completion_of,
            help="Install completion for this shell.  [default: the current one]",
        ),
    ] = None,
    _show_completion: Annotated[
        Shell | None,
        typer.Option(
            "--show-completion",
            is_eager=True,
            callback=_print_completion_of,
            help="Print the script that completes for this shell.  [default: the current one]",
        ),
    ] = None,
) -> None:
    """Keep the global flags for the command."""
    # Three spellings of one choice; two of them could contradict each other.
    if use_local + use_aws + (env is not None) > 1:
        raise WrongCommandLine("--env, --local and --aws exclude each other")
    session: Session = context.obj
    session.config = config_file
    session.env = LOCAL if use_local else "aws" if use_aws else env
    session.events = events
    console = session.console
    console.output = output or _output_of_environment()
    # A document and a stream would be mixed on one stream, and no program could read either.
    if events == STDOUT and console.output is Output.JSON:
        raise WrongCommandLine("--events - and --output json both want standard output")
    if console.output is Output.PARQUET and session.words[:2] != ("athena", "query"):
        raise WrongCommandLine("athena query is the only command that writes parquet")
    console.quiet = quiet
    console.verbosity = verbose
    console.plain = no_color or not is_terminal(sys.stderr, os.environ)
    # From here on every next step carries the flags that led this command to its lake.
    console.spell = Hints.leading_to(session.env, config_file).spell
    show_help(context)


def _output_of_environment() -> Output:
    name = os.environ.get("ETLTCTL_OUTPUT", Output.TABLE)
    if name not in list(Output):
        raise WrongCommandLine(f"ETLTCTL_OUTPUT={name} is not one of {', '.join(Output)}")
    return Output(name)


def main(arguments: list[str] | None = None) -> None:
    """Run one command and exit with its code.

    Args:
        arguments: The words after `etltctl`; those of the process if None.
    """
    _open_streams()
    session = Session(Console())
    # An exception and not an end at once: what runs remotely is detached or stopped on the way out.
    signal.signal(signal.SIGTERM, _terminate)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # a terminal that closes ends no run
    # A word that is not UTF-8 would break every message that quotes it.
    words = [os.fsencode(word).decode(errors="replace") for word in sys.argv[1:]]
    sys.exit(_run(hoisted(words if arguments is None else arguments), session))


def _open_streams() -> None:
    """Let a closed stream lead nowhere, and write data as UTF-8; a terminal gets ? for a character it cannot show."""
    sys.stdout = sys.stdout or Path(os.devnull).open("w")  # noqa: SIM115 - for the rest of the process
    sys.stderr = sys.stderr or Path(os.devnull).open("w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    if isinstance(sys.stdout, io.TextIOWrapper) and not sys.stdout.isatty():
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")


def _run(arguments: list[str], session: Session) -> int:
    # Known before the command line is parsed: its errors have the form that was asked for, too.
    session.console.output = named_output(arguments, os.environ)
    session.arguments = tuple(arguments)
    try:
        require_values(arguments)
        session.words = words_of(arguments)
        require_command(session.words)
        # Built here, so that an error in a declaration is reported as any other error.
        run_command = built(app)
        result = run_command(arguments, obj=session, prog_name="etltctl", standalone_mode=False)
    except DetachedError as error:
        session.console.detached(error)
        return error.exit_code
    except EtltctlError as error:
        correct(error, arguments)
        session.console.error(error)
        return error.exit_code
    except CommandLineError as error:
        _show_usage(error, session)
        return ExitCode.USAGE
    except (KeyboardInterrupt, Abort):
        result = ExitCode.INTERRUPTED
    except PermissionError as error:
        return _say_whose(error, session)
    except Exception as error:  # noqa: BLE001  the last boundary: a bug must not reach the user as a traceback
        session.console.fault(error)
        return ExitCode.FAILED
    if result == ExitCode.INTERRUPTED:  # which Typer makes of Ctrl-C
        if session.console.is_document:
            session.console.failure("KeyboardInterrupt", "interrupted", ExitCode.INTERRUPTED, NextStep())
        else:
            session.console.say("interrupted")
    return result if isinstance(result, int) else ExitCode.OK


def _show_usage(error: Any, session: Session) -> None:
    """Report an error of the command line that click raised."""
    if not session.console.is_document:
        error.show()
        return
    context = getattr(error, "ctx", None)
    path = context.command_path.split()[1:] if context else []
    step = NextStep(Command((*path, "--help"), is_whole=True))
    session.console.failure("UsageError", error.format_message(), ExitCode.USAGE, step)


def _say_whose(error: PermissionError, session: Session) -> int:
    """Report a file that this user may not use, with its owner: the operator can fix it, it is not a bug of etltctl."""
    # Without a file there is no owner to name, and it may be a bug.
    if error.filename is None:
        session.console.fault(error)
        return ExitCode.FAILED
    from etltctl.local.kernel.state_folder import not_yours

    refused = not_yours(Path(os.fsdecode(error.filename)))
    session.console.error(refused)
    return refused.exit_code


def _terminate(signum: int, frame: FrameType | None) -> None:  # noqa: ARG001
    raise SystemExit(ExitCode.TERMINATED)
