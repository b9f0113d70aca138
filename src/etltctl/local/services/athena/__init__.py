"""Athena: SQL translated to DuckDB over the catalog's tables, results as CSV on S3."""
