"""SOURCE: Airbyte → bronze → Glue → silver → Athena, step by step as `etltctl run SOURCE`.

A retry adopts or reuses what an earlier try started. Trigger with `fresh` to start every step again.
"""

from etltctl.airflow import pipeline_dag

dag = pipeline_dag("SOURCE", doc_md=__doc__)
