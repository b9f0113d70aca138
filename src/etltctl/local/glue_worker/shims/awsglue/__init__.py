"""Stands in for the `awsglue` package of a Glue worker: what the scripts of a Spark job need of it."""
