"""A program that runs pipelines in separate processes that can be killed, forked from a process that has imported all.

It reads one line of JSON for each run (`pipeline`, `run_id`, and `die_after`: the number of events after which the
process kills itself, 0 for never). It prints the process id on one line and the exit status on the next.
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
    """Run the pipeline in the forked process."""
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
