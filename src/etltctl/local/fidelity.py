"""How true the embedded services are to the real ones: what is the same, what differs, what is not modelled."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fidelity:
    """One service: in a word what it is, then what holds, what is otherwise, and what is not there at all."""

    service: str
    embedded: str
    same: tuple[str, ...]
    differs: tuple[str, ...]
    missing: tuple[str, ...]


SERVICES = (
    Fidelity(
        "S3",
        "a plain directory, `.etltctl/s3/BUCKET/KEY`",
        (
            "put, get, ranges, lists with delimiter and pages, multipart with copied parts, copy, delete, tags",
            "conditions of reads, writes, copies and multipart uploads; ETags, checksums, user metadata and headers",
            "Signature Version 4 in headers and in presigned URLs, checked with its date, expiry and body",
            "errors as XML with an `x-amz-request-id`",
        ),
        (
            "objects are files you can open; the signatures of single chunks are not checked, the first one is",
            "public objects and the older Signature Version 2 are refused",
            "a key must fit a path: one that begins with `/`, has an empty part, a part `.` or `..`, or a part of "
            "more than 255 bytes is refused with `InvalidArgument` (400)",
            "a key ending in `/` is a folder and holds no bytes; a key cannot be an object and a folder at once (409)",
            "symbolic links are never followed (`AccessDenied`)",
            "CRC32C and CRC64NVME are computed in Python, at some 15 MB a second",
        ),
        (
            "every other operation and sub-resource, such as ACLs and versions: refused with `NotImplemented` (501)",
            "versioning, policies and encryption beyond their records; a key that is both object and folder",
        ),
    ),
    Fidelity(
        "Airbyte",
        "the public API with tokens, jobs, resources, 409s; extracts for real",
        (
            "tokens that expire, job states and their order, `try-again-later`, problems as JSON, pages of lists",
            "the S3 destination's Parquet: file names, `_airbyte_` columns, generations, types",
            "sources, destinations, connections, low-code definitions: made, changed, deleted; secrets masked",
            "every request and answer is held to the published API by the tests; a connection's streams are answered "
            "in full, and refused in Airbyte's words",
        ),
        (
            "one attempt a job; the settings' own connections are there from the start and not changed over the API",
            "MongoDB is read by `find`, not by change streams; a low-code source by etltctl's own extractor",
            "what is made over the API, secrets too, is in a file of its owner's",
        ),
        (
            "CDC, schedules that start syncs, refreshes and clears, discovery, incremental syncs",
            "field selection and mappers of streams, which are refused",
            "sources other than MongoDB and Ergast-compatible APIs, destinations other than S3, workspaces and tags",
        ),
    ),
    Fidelity(
        "Glue",
        "runs your script on Spark 3.5.6 and Java 17, those of Glue 5.1, as a process",
        (
            "job definitions, arguments, run states and their order, concurrent-run limits, timeouts, stops",
            "logs in the groups and streams of Glue 5, `--custom-logGroup-prefix`",
            "`--extra-py-files` and `--extra-files`",
            "scripts and files from S3 only",
        ),
        ("two threads of this machine whatever the worker type; nothing is billed",),
        ("DynamicFrames, bookmarks, queues and WAITING, auto-scaling, several machines",),
    ),
    Fidelity(
        "Athena",
        "your SQL, translated to DuckDB over the catalog's tables",
        (
            "query states, results as CSV on S3 and by page, column types, errors in Athena's words",
            "client request tokens, workgroups with their output location",
            "UNLOAD to Parquet, with partitions and a manifest; StopQueryExecution in the middle of any query",
            "engine version 3's SQL: types and their conversions, rounding, overflow, time zones, order of nulls",
            "a function or a clause that Athena does not have is refused by Athena's name of the error",
        ),
        (
            "bytes scanned are the files' sizes; a query has 30 minutes and 2 GB of memory, in a separate process",
            "approx_distinct and approx_percentile are exact",
            "a function or form of Athena's that is not modelled is refused by NOT_SUPPORTED, which names it",
        ),
        (
            "time with time zone, timestamps finer than microseconds, a time zone that is no literal in AT TIME ZONE",
            "formats and units of dates that are no literals; grouping by timestamps of different time zones",
            "geospatial, machine learning and sketch functions; MATCH_RECOGNIZE",
            "EXPLAIN, SHOW CREATE TABLE, DDL, federated queries",
            "`information_schema`, metadata tables such as `t$partitions`, hidden columns such as `$path`",
        ),
    ),
    Fidelity(
        "Lake Formation",
        "LF-tags, data cells filters, grants, opt-ins, enforced by the embedded Athena for roles taken on through STS",
        (
            "ALL and SELECT listed expanded, failures in the body of a success, pages, limits, refusals",
            "columns and rows a role is not granted are not there; every read of a registered table is in CloudTrail",
            "creating, changing and dropping tables needs CREATE_TABLE, ALTER, DROP and DATA_LOCATION_ACCESS",
        ),
        (
            "the owner of the state folder administers and sees everything",
            "cells of several filters are nulled one by one",
            "filters count for locations that are not registered too",
        ),
        (
            "S3, Glue jobs and reads through the catalog's own API are open to every role; cross-account, RLS policies",
        ),
    ),
    Fidelity(
        "Catalog, IAM and the rest",
        "moto",
        ("databases, tables, partitions, compare-and-swap of table versions", "roles and secrets as records"),
        ("records outlive the server",),
        (
            "IAM is recorded, not enforced: its policies keep no caller out; they are not simulated",
            "operations that moto lacks: refused once with `NotImplementedException` (501), in the service's protocol",
        ),
    ),
    Fidelity(
        "CloudFormation",
        "change sets that really make their resources, through the services above and moto",
        (
            "parameters and their checks, `Ref`, `Fn::GetAtt`, `Fn::Sub`, client tokens, replacements with reasons",
            "events, rollbacks, deletion policies, resources taken in by their names",
        ),
        (
            "one resource after the other; a job or workgroup is changed by making it again",
            "stacks, keys and machines are forgotten with the server",
        ),
        ("types that the project's template does not use; drift, nested stacks, other functions",),
    ),
    Fidelity(
        "MongoDB",
        "SecantusDB, a wire server on WiredTiger, in a separate process",
        ("the wire protocol, BSON types, indexes, users with passwords",),
        ("it serves the sample only: set `sources.mongodb.uri` to read a real one",),
        ("replica sets, change streams",),
    ),
)
