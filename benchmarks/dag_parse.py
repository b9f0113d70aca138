"""The time in which Airflow parses the two DAG files, compared with the same DAGs made of Airflow's operators.

There are three kinds of files, each with two DAGs of four tasks: the project's, the official Airbyte and Amazon
operators, and PythonOperators with empty callables as the lower bound. Every measurement is a separate process that
imports Airflow and its DagBag before the clock starts; the results are medians of runs in alternation.
`make airflow-bench` runs it.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

DAGS = Path(__file__).parents[1] / "dags"
TURNS = 7
OFFICIAL = """
from airflow.sdk import DAG
from airflow.providers.airbyte.operators.airbyte import AirbyteTriggerSyncOperator
from airflow.providers.amazon.aws.operators.athena import AthenaOperator
from airflow.providers.amazon.aws.operators.glue import GlueJobOperator

with DAG("{name}", schedule=None, catchup=False, max_active_runs=1):
    sync = AirbyteTriggerSyncOperator(
        task_id="trigger_airbyte_sync", airbyte_conn_id="airbyte", connection_id="c", deferrable=True
    )
    bronze = GlueJobOperator(task_id="run_glue_job_bronze", job_name="bronze_to_silver{tail}", deferrable=True)
    silver = GlueJobOperator(task_id="run_glue_job_silver", job_name="silver_to_gold{tail}", deferrable=True)
    athena = AthenaOperator(
        task_id="refresh_athena", query="MSCK REPAIR TABLE t", database="gold", output_location="s3://b/",
        deferrable=True,
    )
    sync >> bronze >> silver >> athena
"""
EMPTY = """
from airflow.sdk import DAG
from airflow.providers.standard.operators.python import PythonOperator

def nothing():
    pass

with DAG("{name}", schedule=None, catchup=False, max_active_runs=1):
    sync = PythonOperator(task_id="trigger_airbyte_sync", python_callable=nothing)
    bronze = PythonOperator(task_id="run_glue_job_bronze", python_callable=nothing)
    silver = PythonOperator(task_id="run_glue_job_silver", python_callable=nothing)
    athena = PythonOperator(task_id="refresh_athena", python_callable=nothing)
    sync >> bronze >> silver >> athena
"""
MEASURE = """
import json, sys, time
import airflow
from airflow.dag_processing.dagbag import DagBag

def resident_mb():
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmRSS")).split()[1]) / 1024

before, memory = set(sys.modules), resident_mb()
began = time.perf_counter()
bag = DagBag(dag_folder=sys.argv[1])
first = time.perf_counter() - began
added, grown = len(set(sys.modules) - before), resident_mb() - memory
began = time.perf_counter()
DagBag(dag_folder=sys.argv[1])
again = time.perf_counter() - began
assert not bag.import_errors, bag.import_errors
assert sorted(bag.dags) == ["dag_api", "dag_mongodb"], bag.dags
assert all(len(dag.tasks) == 4 for dag in bag.dags.values())
print("MEASURED", json.dumps([first * 1000, again * 1000, added, grown]))
"""


def measure(folder: Path, home: Path) -> list[float]:
    """Return milliseconds of the first parse and of the next, modules added, and growth in MB."""
    environ = {**os.environ, "AIRFLOW_HOME": str(home), "PYTHONWARNINGS": "ignore"}
    environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, folder], env=environ, check=True, capture_output=True, text=True
    )
    line = next(line for line in done.stdout.splitlines() if line.startswith("MEASURED"))
    return list(json.loads(line.removeprefix("MEASURED ")))


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folders = {"etltctl": DAGS}
        for kind, text in (("official", OFFICIAL), ("empty", EMPTY)):
            folders[kind] = Path(scratch) / kind
            folders[kind].mkdir()
            for name, tail in (("dag_mongodb", ""), ("dag_api", "_api")):
                (folders[kind] / f"{name}.py").write_text(text.format(name=name, tail=tail))
        home = Path(scratch) / "home"
        turns = [{kind: measure(folder, home) for kind, folder in folders.items()} for _ in range(TURNS + 1)]
    costs = {
        kind: [statistics.median(column) for column in zip(*(turn[kind] for turn in turns[1:]), strict=True)]
        for kind in folders
    }
    print(f"two DAG files of four tasks, after `import airflow`; medians of {TURNS} processes each")
    print(f"{'':<10} {'first parse':>12} {'next parse':>12} {'modules':>9} {'memory':>10}")
    for kind, (first, again, modules, memory) in costs.items():
        print(f"{kind:<10} {first:>9.1f} ms {again:>9.1f} ms {modules:>+9.0f} {memory:>+7.1f} MB")
    ours, theirs, least = costs["etltctl"], costs["official"], costs["empty"]
    print(
        f"official : etltctl  first parse {theirs[0] / ours[0]:.1f} : 1, modules {theirs[2] / ours[2]:.1f} : 1"
    )
    print(f"etltctl − empty     first parse {ours[0] - least[0]:+.1f} ms, next {ours[1] - least[1]:+.1f} ms")


if __name__ == "__main__":
    main()
