"""The identity of a run: its id, and the names by which its remote runs and versions are found again."""

from __future__ import annotations

import hashlib
import random
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from etltctl.errors import UsageError
from etltctl.pipeline.model import Step

CLOCKS_DIFFER = timedelta(hours=1)
# DAG, kind and time in UTC, as Airflow makes them: no two of them become the same safe id.
AIRFLOW_RUN_ID = re.compile(
    r"[A-Za-z0-9._-]*__\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00(_\w+)?", re.ASCII
)
MADE_BY_ETLTCTL = re.compile(r"(\d{8}-\d{4})-.+-[a-z2-9]{4}")


@dataclass(frozen=True)
class RunId:
    """The id of a run, as the caller gave it; `generation` counts how often one step's work was started fresh."""

    original: str
    generation: int = 0

    @property
    def safe(self) -> str:
        """The id with a `-` for every character that may not stand in a path, such as the colons of Airflow's ids.

        Two ids that differ never become the same: an id that loses characters gets a digest of itself at its end,
        except Airflow's own ids, which stay distinct without one. The safe id of a safe id is the same.

        Raises:
            UsageError: The id has no letter and no digit.
        """
        safe = re.sub(r"[^A-Za-z0-9._-]+", "-", self.original).strip("-.")
        # Airflow's ids are left without a digest, so that they stay readable in paths and in `runs list`.
        if safe != self.original and safe and not AIRFLOW_RUN_ID.fullmatch(self.original):
            safe += "-" + hashlib.sha256(self.original.encode(errors="surrogatepass")).hexdigest()[:8]
        if self.original and not safe:
            raise UsageError(
                f"the run id {self.original!r} has no letter or digit in it",
                hint="leave it out to get a new one",
            )
        return safe

    @property
    def began_after(self) -> datetime | None:
        """A time before anything of the run began, from the id itself; None for an id that etltctl did not make."""
        match = MADE_BY_ETLTCTL.fullmatch(self.safe)
        try:
            began = datetime.strptime(match[1], "%Y%m%d-%H%M").replace(tzinfo=UTC) if match else None
        except ValueError:
            return None
        # Glue is asked for runs since then: an hour of margin, as this clock and the service's may differ.
        return began - CLOCKS_DIFFER if began and began <= datetime.now(UTC) else None

    def key(self, step: Step, *, env: str, pipeline: str) -> str:
        """Return the run key of a step: the same for every try of the run, another one after a fresh start."""
        # Generation 0 adds nothing, so that keys of runs from before generations existed stay the same.
        generation = f"#{self.generation}" if self.generation else ""
        # Joined by NUL, which no part can hold: "a" + "bc" and "ab" + "c" give different keys.
        parts = (env, pipeline, str(step), f"{self.safe}{generation}")
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:40]

    def version(self, tries: int) -> str:
        """Return the name of the version that the next try writes.

        A try never writes where an earlier one wrote, because the files of a failed try may still be there.

        Args:
            tries: How many earlier tries of this generation failed.
        """
        # Part of the name as well: a fresh start must not write into the version of the run before it.
        generation = f".g{self.generation}" if self.generation else ""
        return f"{self.safe}{generation}" + (f".{tries + 1}" if tries else "")


def new_run_id(pipeline: str, at: datetime | None = None) -> str:
    """Return a run id that sorts by time and can be said aloud: `20261123-0305-mongodb-k7qf`.

    Args:
        pipeline: What the run is of.
        at: When the run begins; now if it is None.
    """
    # No letters or digits that look alike, because people read the id from a screen and type it.
    tail = "".join(random.SystemRandom().choices("abcdefghjkmnpqrstuvwxyz23456789", k=4))
    return f"{(at or datetime.now(UTC)).astimezone(UTC):%Y%m%d-%H%M}-{pipeline.replace('_', '-')}-{tail}"
