"""Runs pipelines in processes of their own that can be killed, forked from one that has everything imported.

Reads a line of JSON a run (`pipeline`, `run_id`, and `die_after` so many events, 0 for never), tells the process's id
and then, in another line, the status it ended with.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from typing import Any

import boto3
import httpx
import pyarrow.parquet
import tenacity

from etltctl.local.client import endpoints
from etltctl.pipeline import RunOptions, lost_starts, run_pipeline
from etltctl.settings import load_settings
from support.fork_server import load_descriptions

PRELOADED = (boto3, httpx, pyarrow.parquet, tenacity)
lost_starts.LISTED_WITHIN_S = 2.0  # the embedded listings show a run at once


def run(request: dict[str, Any]) -> int:
    """The run itself, in the forked process."""
    events = 0

    def count(_: Any) -> None:
        nonlocal events
        events += 1
        if events == request.get("die_after"):
            os.kill(os.getpid(), signal.SIGKILL)

    try:
        run_pipeline(
            request["pipeline"], load_settings(env="local"), RunOptions(request["run_id"], on_event=count)
        )
    except BaseException:  # noqa: BLE001 - of a process that ends with it
        traceback.print_exc()
        return 1
    return 0


load_descriptions()
with endpoints(load_settings(env="local"), os.environ) as server:
    os.environ.update(server.environ)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            os._exit(run(json.loads(line)))
        print(child, flush=True)
        print(os.waitpid(child, 0)[1], flush=True)
