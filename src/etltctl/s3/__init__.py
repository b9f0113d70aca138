"""Objects of the lake, and what Parquet files say about themselves in their footers."""

from etltctl.s3.footers import Footer, Footers, read_footers
from etltctl.s3.objects import PARQUET, S3, S3Object, is_data, settled

__all__ = ["PARQUET", "S3", "Footer", "Footers", "S3Object", "is_data", "read_footers", "settled"]
