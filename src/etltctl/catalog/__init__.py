"""Glue Data Catalog: databases, tables, partitions, and the types of their columns."""

from etltctl.catalog.column_types import Widening, hive_columns, hive_type, widened
from etltctl.catalog.partitions import NO_CHANGES, PartitionChanges, Partitions, is_projected, projection
from etltctl.catalog.registry import Registry, is_closed
from etltctl.catalog.tables import STAGING, Catalog, Described, Table, comment_line

__all__ = [
    "NO_CHANGES",
    "STAGING",
    "Catalog",
    "Described",
    "PartitionChanges",
    "Partitions",
    "Registry",
    "Table",
    "Widening",
    "comment_line",
    "hive_columns",
    "hive_type",
    "is_closed",
    "is_projected",
    "projection",
    "widened",
]
