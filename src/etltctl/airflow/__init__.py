"""Airflow's side of etltctl, and the only package here that imports Airflow (3.x or 2.11).

A DAG file names the steps of a pipeline as tasks; what a task does is etltctl's. Importing this loads no SDK and no
settings: a DAG file is parsed again and again.
"""

from etltctl.airflow.lake import tables
from etltctl.airflow.operator import StepOperator
from etltctl.airflow.telling import tell_failure
from etltctl.airflow.versions import DAG

__all__ = ["DAG", "StepOperator", "tables", "tell_failure"]
