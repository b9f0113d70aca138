"""CloudWatch Logs: what Glue job runs write, and how far Spark's stages have got."""

from etltctl.logs.glue_logs import (
    GROUP_PREFIX,
    GROUPS,
    MOST_EMPTY_PAGES,
    MOST_KNOWN,
    OVERLAP_MS,
    Logs,
    LogTail,
)
from etltctl.logs.log_lines import ErrorLines, LogLine
from etltctl.logs.progress_bar import ProgressBar

__all__ = [
    "GROUPS",
    "GROUP_PREFIX",
    "MOST_EMPTY_PAGES",
    "MOST_KNOWN",
    "OVERLAP_MS",
    "ErrorLines",
    "LogLine",
    "LogTail",
    "Logs",
    "ProgressBar",
]
