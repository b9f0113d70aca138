"""S3 on a plain directory: the API that clients speak, and the folder behind it that Spark reads and writes too."""
