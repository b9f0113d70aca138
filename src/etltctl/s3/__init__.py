"""Objects of the lake, and what Parquet files say about themselves in their footers."""

from etltctl.s3.footers import Footer, Footers
from etltctl.s3.objects import S3, S3Object, is_data, split_location
from etltctl.s3.settling import settled

__all__ = ["S3", "Footer", "Footers", "S3Object", "is_data", "settled", "split_location"]
