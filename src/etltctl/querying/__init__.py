"""Queries on the lake: one statement and its answer, the tables that can be queried, and help after a refusal."""

from etltctl.querying.queries import Answer, is_read, literal, read_sql, run_query
from etltctl.querying.tables import describe_table, list_tables

__all__ = ["Answer", "describe_table", "is_read", "list_tables", "literal", "read_sql", "run_query"]
