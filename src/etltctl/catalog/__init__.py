"""Glue Data Catalog: databases, tables, partitions, and the types of their columns."""

from etltctl.catalog.column_types import Widening, hive_columns, hive_type, widened
from etltctl.catalog.partitions import NO_CHANGES, PartitionChanges, Partitions, is_projected, projection
from etltctl.catalog.registry import Registry, is_closed
from etltctl.catalog.tables import MAX_COMMENT_CHARACTERS, STAGING, Catalog, Described, Table

__all__ = [
    "MAX_COMMENT_CHARACTERS",
    "NO_CHANGES",
    "STAGING",
    "Catalog",
    "Described",
    "PartitionChanges",
    "Partitions",
    "Registry",
    "Table",
    "Widening",
    "hive_columns",
    "hive_type",
    "is_closed",
    "is_projected",
    "projection",
    "widened",
]
