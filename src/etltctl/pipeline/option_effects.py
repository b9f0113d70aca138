"""The options of a run that hold for one try of it: those of the caller, and those that earlier tries had."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from etltctl.errors import NextStep, Parameter, UsageError
from etltctl.ledger import Ledger
from etltctl.pipeline.kinds import kind_of
from etltctl.pipeline.model import Step
from etltctl.pipeline.options import RunOptions
from etltctl.pipeline.preflight import unstarted

# A larger worker is for the try that it was chosen for: the next run of the job has those of the settings again.
OF_ONE_TRY = frozenset({"worker_type", "workers", "workers_of"})


def options_in_force(ledger: Ledger, walk: Sequence[Step], options: RunOptions) -> dict[str, Any]:
    """Return the options of this try, as the ledger keeps them.

    Args:
        ledger: The events of the run.
        walk: The steps of this try.
        options: The caller's options.

    Raises:
        UsageError: An option would have no effect, because this try starts no Glue job.
    """
    if options.full:
        _require_job_to_start(ledger, walk, options)
    return _kept(ledger) | options.recorded | _workers_of(ledger, walk, options)


def _kept(ledger: Ledger) -> dict[str, Any]:
    """Return the options of the try before that hold for this one too."""
    return {name: value for name, value in ledger.options.items() if name not in OF_ONE_TRY}


def _workers_of(ledger: Ledger, walk: Sequence[Step], options: RunOptions) -> dict[str, str]:
    """Return the step that the workers of the options are for: the first that this try starts.

    Raises:
        UsageError: This try starts no Glue job.
    """
    if not options.has_workers:
        return {}
    first = next(_jobs_to_start(ledger, walk, options), "")
    if not first:
        raise UsageError(
            f"run {ledger.run_id} has no Glue job to start, so no worker type can be chosen; nothing was started",
            hint=NextStep("leave out ", Parameter("worker_type"), " and ", Parameter("workers")),
        )
    return {"workers_of": first}


def _require_job_to_start(ledger: Ledger, walk: Sequence[Step], options: RunOptions) -> None:
    """Raise UsageError if this try starts no Glue job, so that nothing would be read in full."""
    if not any(_jobs_to_start(ledger, walk, options)):
        raise UsageError(
            f"run {ledger.run_id} has no Glue job to start, so there is nothing to read in full; nothing was started",
            hint=NextStep("start its jobs again with ", Parameter("fresh"), ", or leave out the run id"),
        )


def _jobs_to_start(ledger: Ledger, walk: Sequence[Step], options: RunOptions) -> Iterator[str]:
    to_start = unstarted(walk, ledger.last, fresh=options.fresh)
    yield from (str(step) for step in to_start if kind_of(step).takes_workers)
