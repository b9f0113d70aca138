"""Before a step starts: whether Lake Formation, where it governs, lets it do what it is to do."""

from __future__ import annotations

from etltctl.pipeline.refreshing import tables_of
from etltctl.pipeline.work import Work


def require_access(work: Work) -> None:
    """Raises AccessError if the caller or the job's role lacks what the step needs; no call if nothing is governed."""
    settings = work.services.settings
    if not settings.governance.is_configured:
        return
    from etltctl import governance

    tables = tables_of(work.pipeline, work.services) if work.step.kind == "athena" else ()
    governance.require_access(settings, str(work.step), tables)
