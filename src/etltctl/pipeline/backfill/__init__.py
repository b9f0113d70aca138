"""Backfills: the seasons of a pipeline's source in chunks, each chunk a run of the whole pipeline.

A sync overwrites what bronze holds, and a job makes every table whole from bronze. So the sync of a chunk reads the
chunk's seasons and every season that bronze holds by then: no chunk can take away what an earlier one brought.

    model.py               chunks and what became of them; the caller's options
    plan.py                the chunks of a range, or the reason why there are none
    estimate.py            what a run usually takes and costs
    season_files.py        the seasons that bronze holds
    record.py              what is on record of a backfill, by which the same command resumes it
    chunk_run.py           the run of one chunk
    runner.py              the chunks in their order, within one budget
"""

from etltctl.pipeline.backfill.model import (
    BackfillOptions,
    BackfillPlan,
    BackfillResult,
    Chunk,
    ChunkOutcome,
    ChunkResult,
)
from etltctl.pipeline.backfill.plan import require_backfillable
from etltctl.pipeline.backfill.runner import plan_backfill, run_backfill

__all__ = [
    "BackfillOptions",
    "BackfillPlan",
    "BackfillResult",
    "Chunk",
    "ChunkOutcome",
    "ChunkResult",
    "plan_backfill",
    "require_backfillable",
    "run_backfill",
]
