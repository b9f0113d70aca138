"""Glue Data Catalog: databases, tables, partitions, and the types of their columns."""

from etltctl.catalog.hive import Widening, fields_of, hive_columns, hive_type, widened
from etltctl.catalog.partitions import NO_CHANGES, PartitionChanges, Partitions
from etltctl.catalog.tables import STAGING, Catalog, Described, Table, projection

__all__ = [
    "NO_CHANGES",
    "STAGING",
    "Catalog",
    "Described",
    "PartitionChanges",
    "Partitions",
    "Table",
    "Widening",
    "fields_of",
    "hive_columns",
    "hive_type",
    "projection",
    "widened",
]
