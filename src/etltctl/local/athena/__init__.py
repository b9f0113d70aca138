"""Athena on this machine: SQL translated to DuckDB over the catalog's tables, results as CSV on S3."""

from etltctl.local.athena.executions import AthenaService

__all__ = ["AthenaService"]
