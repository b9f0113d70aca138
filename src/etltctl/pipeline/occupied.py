"""Live work of another run that is in the way: told by the run that began it, where we know it."""

from __future__ import annotations

from contextlib import suppress

from etltctl.errors import AlreadyRunningError, ConfigurationError, EtltctlError
from etltctl.glue import in_the_way
from etltctl.pipeline.services import Services
from etltctl.pipeline.work import Work


def require_unread(work: Work) -> None:
    """Raises AlreadyRunningError while a Glue job reads what a sync of the step's source is about to replace.

    A sync that overwrites takes away the files of the one before. Where Glue does not tell, a warning says so.
    """
    name, settings = work.step.name, work.services.settings
    if settings.sources[name].sync_mode != "full_refresh_overwrite":
        return
    landing = {f"bronze.{table}" for table in settings.stream_locations(name)}
    for job in (job for job, asked in settings.glue.jobs.items() if landing & set(asked.reads)):
        try:
            live = work.services.glue.live_runs(job)
        except ConfigurationError:
            continue  # the job is not deployed
        except EtltctlError as error:
            text = f"whether Glue job {job} still reads what a sync of {name} replaces is not known: {error.message}"
            work.ledger.note("warning.degraded", str(work.step), message=text)
            continue
        if live:
            message = f"a run of Glue job {job} still reads what a sync of {name} would replace"
            raise told_with_holder(work.services, in_the_way(live[0], message))


def told_with_holder(services: Services, error: AlreadyRunningError) -> AlreadyRunningError:
    """The error, with the run on record that began the job run it names; as it is where none is known."""
    if "job" not in error.facts:
        return error
    with suppress(EtltctlError):  # then it is told without
        live = services.glue.look_at(str(error.facts["job"]), str(error.facts["run"]))
        holder = live.arguments.get("--run_id", "")
        if holder and holder in services.store.run_ids():
            facts = error.facts | {"held by": f"run {holder}"}
            return AlreadyRunningError(error.message, hint=f"etltctl runs watch {holder}", **facts)
    return error
