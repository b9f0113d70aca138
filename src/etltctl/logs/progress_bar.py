"""The progress bar of Spark's stages, which Glue writes to a log stream while a job run goes on.

No operation of Glue's API reports stages. The stream is `RUNID-progress-bar` in the group of Glue's and Spark's lines,
and on Glue it is there only for scripts that make a `GlueContext`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from etltctl.aws import Aws, translated
from etltctl.errors import EtltctlError, ServiceError
from etltctl.logs.glue_logs import places_of
from etltctl.logs.log_lines import BAR_STREAM
from etltctl.runs import JobRun, SparkStage

MOST_MISSES = 20  # in a row, after which a job run is taken for one that writes no bar
# `[Stage 3:=====>   (40 + 2) / 200]`. Glue adds the stage's name, which may hold brackets and colons, to the number.
STAGE = re.compile(
    r"Stage (?P<number>[0-9]{1,9})\b[^\[\]]{0,300}?\((?P<done>[0-9]{1,9}) \+ [0-9]{1,9}\) / (?P<tasks>[0-9]{1,9})"
)
# Characters of a line that are read: Spark's bar is as wide as a terminal, and Glue's stages have names.
LONGEST_LINE = 4_000


@dataclass
class ProgressBar:
    """The newest line of the progress bar of each job run.

    Attributes:
        aws: The account.
        prefix: The prefix of the project's log groups.
    """

    aws: Aws
    prefix: str = ""
    _places: dict[str, str] = field(default_factory=dict, repr=False)  # by job run, where its bar was read
    _misses: dict[str, int] = field(default_factory=dict, repr=False)  # by job run

    def newest_stage(self, run: JobRun) -> SparkStage | None:
        """Return the stage that the run works on; None if its log does not say.

        It reads one line with one call at most. It waits 5 s at most and raises nothing, because the caller is the loop
        that also checks the run's budget and deadline.

        Args:
            run: The job run.
        """
        misses = self._misses.get(run.id, 0)
        if misses >= MOST_MISSES:
            return None
        places = places_of(run, self.prefix)
        # One group a poll: until the stream is there, the groups are asked in turn.
        place = self._places.get(run.id) or places[misses % len(places)]
        try:
            line = self._newest_line(f"{place}/error", f"{run.id}{BAR_STREAM}")
        except ServiceError as error:
            # The group and the stream are made with their first line.
            is_missing = error.code == "ResourceNotFoundException"
            self._misses[run.id] = misses + 1 if is_missing else MOST_MISSES
            return None
        except EtltctlError:
            self._misses[run.id] = MOST_MISSES
            return None
        self._places[run.id] = place
        self._misses.pop(run.id, None)
        return stage_of(line)

    def _newest_line(self, group: str, stream: str) -> str:
        with translated("logs"):
            page = self.aws.brief_client("logs").get_log_events(
                logGroupName=group, logStreamName=stream, limit=1, startFromHead=False
            )
        return "".join(str(event.get("message", "")) for event in page.get("events", ()))


def stage_of(line: str) -> SparkStage | None:
    """Return the newest of the stages that a line of the progress bar shows; None if it shows none.

    Args:
        line: The line. Spark shows stages that run at the same time side by side.
    """
    stages = [
        SparkStage(int(match["number"]), int(match["done"]), int(match["tasks"]))
        for match in STAGE.finditer(line[-LONGEST_LINE:])
    ]
    return max(stages, key=lambda stage: stage.number, default=None)
