"""S3 on a plain directory: the API that clients speak and the folder behind it, which Spark reads and writes too."""

from etltctl.local.s3.api import S3Api
from etltctl.local.s3.directory import ObjectInfo, S3Directory

__all__ = ["ObjectInfo", "S3Api", "S3Directory"]
