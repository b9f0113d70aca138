"""The settings themselves: whether they can be read, and whether every secret they refer to has a value."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from etltctl.diagnosis.findings import Finding, fail, failed, ok, shortened, warn
from etltctl.diagnosis.probe import Probe
from etltctl.errors import ConfigurationError, EtltctlError, NextStep, command

if TYPE_CHECKING:
    from etltctl.settings import Settings

SAMPLE = "sample:"


def complaints(error: EtltctlError) -> Iterator[Finding]:
    """Every problem of settings that cannot be read, with its place."""
    problems = error.problems if isinstance(error, ConfigurationError) else ()
    fix = error.next_step if error.hint else NextStep("correct it, then: ", command("config", "validate"))
    for text in problems or (error.message,):
        yield fail("file", shortened(text), fix, error.exit_code)


def check_file(probe: Probe) -> Iterator[Finding]:
    """Which settings are in force."""
    from etltctl.pipeline import unknown_steps

    settings = probe.settings
    for problem in unknown_steps(settings):
        yield fail("file", shortened(problem), NextStep("correct it, then: ", command("config", "validate")))
    for problem in settings.plot_problems:
        yield warn("plots", shortened(problem), NextStep("correct it, then: ", command("config", "validate")))
    files = settings.file.name if settings.file else "the sample lake"
    pipelines = ", ".join(settings.pipelines) or "none"
    yield ok("file", f"{files}; environment {settings.env}; pipelines: {pipelines}")


def check_queries(probe: Probe) -> Iterator[Finding]:
    """Check that the file of each query is there and is one SELECT over the tables that the settings name."""
    from etltctl.settings.sql_files import query_problems

    for name, sql in probe.settings.sql.items():
        problems = list(query_problems(probe.settings, name))
        for problem in problems:
            fix = NextStep("correct it, then: ", command("config", "validate"))
            yield fail(f"query {name}", shortened(problem), fix)
        if not problems:
            yield ok(f"query {name}", f"{sql.file} writes {sql.writes}")


def check_secrets(probe: Probe) -> Iterator[Finding]:
    """Every secret is a reference and has a value; no value is shown."""
    from etltctl.settings.layers import is_in_file
    from etltctl.settings.secrets import is_reference

    origins = {value.key: value.origin for value in probe.settings.values()}
    for key, reference in _secrets(probe.settings):
        if is_reference(reference):
            yield _revealed(probe, key, reference)
        elif is_in_file(origins.get(key, "")):
            fix = f'write {key} = "env:NAME" (or file:, ssm:, secretsmanager:) and put the secret there'
            yield warn(key, "the secret itself is written in the settings file", fix)
        else:
            yield ok(key, "has a value")


def check_lineage(probe: Probe) -> Iterator[Finding]:
    """Check that lineage events can be made and have a receiver, if any are asked for."""
    from etltctl.observers.lineage import require_installed
    from etltctl.settings.lineage_variables import ClientVariables, is_lineage_asked_for

    variables, own = ClientVariables.of(), probe.settings.lineage
    if not is_lineage_asked_for(own, variables):
        yield ok("lineage", "not asked for: no receiver is named")
        return
    try:
        require_installed()
    except ConfigurationError as error:
        yield warn("lineage", error.message, error.next_step)
        return
    try:
        variables.require_usable()
    except ConfigurationError as error:
        yield warn("lineage", error.message, "correct or unset the variable; runs go on without lineage")
        return
    server = "the variables of OpenLineage" if variables.name_a_receiver else own.url
    yield ok("lineage", f"events go to {' and '.join(filter(None, (own.file, server)))}")


def check_state(probe: Probe) -> Iterator[Finding]:
    """Check that the runs' events can be kept."""
    state = probe.settings.state
    # Whether a bucket can be written is a question for AWS, which may not be reached from here.
    if "://" in state:
        yield ok("state", f"{state}; its bucket is among the buckets")
        return
    folder = Path(state).resolve()
    nearest = next(place for place in (folder, *folder.parents) if place.exists())
    if nearest.is_dir() and os.access(nearest, os.W_OK):
        yield ok("state", str(folder))
    else:
        yield fail(
            "state", f"{folder} cannot be written", "set `state` or ETLTCTL_STATE_DIR to another place"
        )


def _revealed(probe: Probe, key: str, reference: str) -> Finding:
    # `sample:` names data and no secret.
    if reference in (SAMPLE, ""):
        return ok(key, "the sample that comes with etltctl")
    try:
        probe.reveal(reference, key)
    except EtltctlError as error:
        if key.startswith("sources."):  # a run on AWS leaves the source to Airbyte
            return warn(
                key,
                shortened(error.message),
                NextStep(*error.next_step.parts, ", where the source itself is read"),
            )
        return failed(key, error)
    return ok(key, f"{reference} has a value")


def _secrets(settings: Settings) -> Iterator[tuple[str, str]]:
    """Yield key and text of every setting that holds a secret.

    The ids of connections are left to the check of Airbyte: where a setting has no value, the connection that
    `connections apply` made counts.
    """
    from etltctl.settings.connector_config import is_literal_secret
    from etltctl.settings.notify import holds_token
    from etltctl.settings.secrets import REFERENCES, is_reference
    from etltctl.settings.sources import AirbyteSource, MongodbSource
    from etltctl.settings.toml_tables import leaves

    yield "airbyte.client_id", settings.airbyte.client_id
    yield "airbyte.client_secret", settings.airbyte.client_secret
    if settings.lineage.api_key:
        yield "lineage.api_key", settings.lineage.api_key
    for name, source in settings.sources.items():
        if isinstance(source, MongodbSource):
            yield f"sources.{name}.uri", source.uri
        if isinstance(source, AirbyteSource):
            yield from (
                (f"sources.{name}.config.{'.'.join(path)}", str(value))
                for path, value in leaves(source.config, in_lists=True)
                if is_literal_secret(path, value) or (isinstance(value, str) and value.startswith(REFERENCES))
            )
    for name, receiver in settings.notify.items():
        # An address without a token may stand in the file.
        if receiver.kind != "sns" and (
            is_reference(receiver.url) or holds_token(receiver.kind, receiver.url)
        ):
            yield f"notify.{name}.url", receiver.url
