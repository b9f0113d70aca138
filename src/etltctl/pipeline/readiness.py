"""Checks before a run: scripts compile, secrets have values, rules match the contracts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from etltctl.errors import ConfigurationError
from etltctl.pipeline.model import Step

if TYPE_CHECKING:
    from etltctl.ledger import Event
    from etltctl.settings import Settings

LOCAL = "local"
HINT = "correct it, then run the same command again"


def require_ready(settings: Settings, walk: Iterable[Step]) -> None:
    """Raise if one of the steps is certain to fail for a reason that this machine can see without a service.

    A script that is not on this machine is left alone: Glue has its own copy.

    Args:
        settings: The settings.
        walk: The steps that are to start.

    Raises:
        ConfigurationError: A script of a Glue step has a syntax error, a secret has no value, or a rule names a column
            that the table does not have. It lists every problem with the place of the setting.
    """
    problems = tuple(dict.fromkeys(problem for step in walk for problem in _problems_of(settings, step)))
    if problems:
        why = (
            "the run would fail" if len(problems) == 1 else f"the run would fail for {len(problems)} reasons"
        )
        raise ConfigurationError(f"nothing was started: {why}", problems=problems, hint=HINT)


def unstarted(walk: Iterable[Step], last: Callable[..., Event | None], *, fresh: bool) -> list[Step]:
    """Return the steps of a run that have to start: what runs is adopted, what succeeded is reused, as it is.

    Args:
        walk: The steps.
        last: Returns a step's newest event of the types that it is called with, as `Ledger.last` does.
        fresh: Whether the work of all starts again.
    """
    return [step for step in walk if fresh or not _has_work(str(step), last)]


def _has_work(step: str, last: Callable[..., Event | None]) -> bool:
    newest = last(step, "remote.started", "remote.adopted", "step.finished")
    if newest is None:
        return False
    return newest["type"] != "step.finished" or newest.get("outcome") in ("succeeded", "detached")


def _problems_of(settings: Settings, step: Step) -> Iterator[str]:
    """Yield the step's problems; none of a step that the settings do not have, which its start refuses by name."""
    if step.kind == "sync" and step.name in settings.sources:
        yield from _problems_of_sync(settings, step.name)
    elif step.kind == "glue" and step.name in settings.glue.jobs:
        yield from _problems_of_glue(settings, step.name)
    elif step.kind == "tableau":
        yield from _problems_of_tableau(settings)


def _problems_of_glue(settings: Settings, job: str) -> Iterator[str]:
    from etltctl.settings.scripts import syntax_errors

    yield from syntax_errors(settings, job)
    for table in settings.glue.jobs[job].writes:
        yield from _unknown_columns(settings, table)


def _problems_of_sync(settings: Settings, source: str) -> Iterator[str]:
    """Yield problems of the source's secrets in the local environment, where the embedded Airbyte reads the source.

    Elsewhere Airbyte has the source's secrets, and etltctl needs those of Airbyte's API.
    """
    if settings.env == LOCAL:
        values = settings.sources[source].model_dump()
        keys = [f"sources.{source}.{key}" for key in values if key != "connection_id"]
        secrets = {key: values[key.rpartition(".")[2]] for key in keys}
    else:
        named = settings.airbyte
        secrets = {"airbyte.client_id": named.client_id, "airbyte.client_secret": named.client_secret}
    yield from _unset(settings, secrets)
    for table in settings.stream_locations(source):
        yield from _unknown_columns(settings, f"bronze.{table}")


def _problems_of_tableau(settings: Settings) -> Iterator[str]:
    named = settings.tableau
    yield from _unset(
        settings, {"tableau.token_name": named.token_name, "tableau.token_secret": named.token_secret}
    )


def _unset(settings: Settings, secrets: dict[str, object]) -> Iterator[str]:
    """Yield the secrets without a value, of those that no service has to be called for."""
    from etltctl.settings import resolve_secret

    for setting, reference in secrets.items():
        if not isinstance(reference, str) or not reference.startswith(("env:", "file:")):
            continue
        try:
            resolve_secret(reference, setting=setting)
        except ConfigurationError as error:
            place = settings.place_of(*setting.split("."))
            fix = f"; {error.hint}" if error.hint else ""
            yield f"{place}: {error.message}{fix}"


def _unknown_columns(settings: Settings, table: str) -> Iterator[str]:
    """Yield the columns of rules that the table lacks and that its next version is not going to have either."""
    from etltctl.settings.declared import is_written, unknown_columns

    for column in unknown_columns(settings, table):
        if is_written(column, settings) is False:
            yield column.text
