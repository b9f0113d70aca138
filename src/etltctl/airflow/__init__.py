"""Airflow's side of etltctl, and the only package here that imports Airflow (3.x or 2.11).

A DAG file names the steps of a pipeline as tasks, or calls `pipeline_dag`, which reads them from the settings file.
Each task calls etltctl's library. Importing this loads no SDK and no settings, because Airflow parses a DAG file again
and again.
"""

from etltctl.airflow.assets import tables
from etltctl.airflow.callbacks import tell_failure
from etltctl.airflow.operator import StepOperator
from etltctl.airflow.pipeline_dag import pipeline_dag
from etltctl.airflow.versions import DAG

__all__ = ["DAG", "StepOperator", "pipeline_dag", "tables", "tell_failure"]
