"""Run an Airbyte → S3 → Glue → Athena lake: the whole public surface, each name loaded when it is first used.

    import etltctl

    with etltctl.connect() as settings:  # finds or starts the embedded endpoints where env is local
        etltctl.run_pipeline("mongodb", settings)
        days = etltctl.query("select count(*) as n from weather_daily", settings).dicts()

Importing this loads no SDK. Every function works without `connect` too, and then connects for its own duration.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from etltctl.api import (
        QueryResult,
        check_source,
        connect,
        discover_source,
        query,
        refresh,
        run_backfill,
        run_glue,
        run_pipeline,
        run_step,
        sync,
    )
    from etltctl.connections import SourceStreams
    from etltctl.errors import (
        AccessError,
        AlreadyRunningError,
        BlockedError,
        BudgetError,
        ConfigurationError,
        DetachedError,
        DrivenElsewhereError,
        EtltctlError,
        ExitCode,
        NotFoundError,
        OutcomeUnknownError,
        RunFailedError,
        ServiceError,
        UnreachableError,
        UnverifiedError,
        UsageError,
        WaitTimeoutError,
    )
    from etltctl.pipeline import BackfillOptions, BackfillResult, PipelineResult, RunOptions, StepResult
    from etltctl.settings import Settings, load_settings

__all__ = [
    "AccessError",
    "AlreadyRunningError",
    "BackfillOptions",
    "BackfillResult",
    "BlockedError",
    "BudgetError",
    "ConfigurationError",
    "DetachedError",
    "DrivenElsewhereError",
    "EtltctlError",
    "ExitCode",
    "NotFoundError",
    "OutcomeUnknownError",
    "PipelineResult",
    "QueryResult",
    "RunFailedError",
    "RunOptions",
    "ServiceError",
    "Settings",
    "SourceStreams",
    "StepResult",
    "UnreachableError",
    "UnverifiedError",
    "UsageError",
    "WaitTimeoutError",
    "check_source",
    "connect",
    "discover_source",
    "load_settings",
    "query",
    "refresh",
    "run_backfill",
    "run_glue",
    "run_pipeline",
    "run_step",
    "sync",
]

_HOMES = {
    "etltctl.api": {
        "QueryResult",
        "check_source",
        "connect",
        "discover_source",
        "query",
        "refresh",
        "run_backfill",
        "run_glue",
        "run_pipeline",
        "run_step",
        "sync",
    },
    "etltctl.connections": {"SourceStreams"},
    "etltctl.pipeline": {"BackfillOptions", "BackfillResult", "PipelineResult", "RunOptions", "StepResult"},
    "etltctl.settings": {"Settings", "load_settings"},
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("etltctl")
    if name not in __all__:
        raise AttributeError(f"module 'etltctl' has no attribute {name!r}")
    from importlib import import_module

    home = next((module for module, names in _HOMES.items() if name in names), "etltctl.errors")
    value = globals()[name] = getattr(import_module(home), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
