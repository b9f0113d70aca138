"""The embedded Airbyte: the public API over real extraction into Parquet as Airbyte's S3 destination writes it."""

from etltctl.local.airbyte.service import AirbyteService

__all__ = ["AirbyteService"]
