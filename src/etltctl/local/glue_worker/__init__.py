"""The process of a Glue job. Its files run in the bare environment of a job and import nothing of etltctl."""
