"""Airbyte's public API over real extraction into Parquet, as Airbyte's S3 destination writes it."""
