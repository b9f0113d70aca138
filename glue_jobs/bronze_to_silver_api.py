"""Make the silver.f1_* tables: typed rows, one a key, from the Formula 1 API's records in bronze."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import reduce
from typing import Any

from pyspark.sql import Column, DataFrame, Observation, SparkSession
from pyspark.sql import functions as F

import f1_descriptions
from changes import EVERYTHING, Changes, FullRunNeeded, carry_over, read_changes
from f1_changes import base_fingerprints, differences, leave_fingerprints, read_fingerprints
from f1_cleaning import Records, clean_rows, screen_rows
from f1_quality import REFERENCES, Reference, failing_codes, rules_of
from f1_records import COLUMNS, no_records, read_records
from job_config import F1, config_hash, read_config
from lake import JobArguments, QualityError, arguments, spark_session, write_audit, write_table

REJECTS = "silver_rejects.f1_row"
INPUT = "bronze.api_"
WRITERS = 4  # each table is one small task: several at a time fill the cores
EXAMPLES = 5
ALL_SEASONS = "this job always reads all seasons"

Lineage = Mapping[str, Column]

_REJECT_COLUMNS = {
    "table_name": "string", "reason": "string", "row": "string", "source_file": "string", "source_row": "long",
}  # fmt: skip


def run(spark: SparkSession, job: JobArguments) -> None:
    """Write every table that is asked for; raise QualityError when the result must not be published.

    An incremental job writes nothing if no file is new.
    """
    config = read_config(F1, job.config)
    changes = read_changes(spark, job.changes)
    if changes is not None and changes.base and not any(changes.new.values()):
        with suppress(FullRunNeeded):
            carry_over(spark, job, changes, f1_descriptions)
            leave_fingerprints(spark, changes, base_fingerprints(spark, changes))
            return
    failing = failing_codes(config["rule_actions"])
    lineage = {"run_id": F.lit(job.run_id), "config_hash": F.lit(config_hash(config))}
    with ThreadPoolExecutor(WRITERS) as threads:
        records = _read(spark, _files(job, changes), threads)

        def write(table: str) -> dict[str, Any]:
            return _write(table, job, records, lineage)

        audits = list(threads.map(write, [table for table in job.outputs if table != REJECTS]))
        _report(spark, job, changes, audits, threads)
    if REJECTS in job.outputs:
        _write_rejects(spark, job, audits, records, lineage)
    for audit in audits:
        check_audit(audit, failing, config["max_reject_share"], records)
    check_references(spark, job.outputs)


def _files(job: JobArguments, changes: Changes | None) -> Mapping[str, str | Sequence[str]]:
    """Return the folder of each stream; for an incremental job its files, all of which it reads.

    Without laps, the whole history is some ten thousand rows a table. Finding the changed ones would cost more.
    """
    if changes is None:
        return job.inputs
    written = [table for table in job.inputs if changes.files.get(table)]
    return {table: changes.files_of(table, job.inputs[table]) for table in written}


def _read(
    spark: SparkSession, inputs: Mapping[str, str | Sequence[str]], threads: ThreadPoolExecutor
) -> Records:
    """Return the records of every stream; a stream without an input has none."""
    locations = {table.removeprefix(INPUT): location for table, location in inputs.items()}

    def read(stream: str) -> DataFrame:
        if stream not in locations:
            return no_records(spark, stream)
        return read_records(spark, locations[stream], stream)

    return dict(zip(COLUMNS, threads.map(read, COLUMNS), strict=True))


def _write(table: str, job: JobArguments, records: Records, lineage: Lineage) -> dict[str, Any]:
    """Write a table, and return its audit."""
    screened, before = count_screened(table, screen_rows(table, records))
    rows, after = count_rows(table, clean_rows(table, screened, records, lineage))
    write_table(rows, job.outputs[table])
    counted = after.get
    codes = {rule.code: counted[rule.code] for rule in rules_of(table) if counted[rule.code]}
    counts = {"rows_out": counted["rows_out"], "merged": counted["merged"]}
    return {"table": table, **before.get, **counts, "flags": codes}


def _report(
    spark: SparkSession,
    job: JobArguments,
    changes: Changes | None,
    audits: Sequence[Mapping[str, Any]],
    threads: ThreadPoolExecutor,
) -> None:
    """Write the report on each table: its audit, and for an incremental job the seasons that differ.

    An incremental job also saves the fingerprints of its seasons for the next run.
    """
    differs = _compare(spark, job, changes) if changes is not None else {}
    explanation = {EVERYTHING: ALL_SEASONS} if changes is not None and changes.base else {}

    def report(audit: Mapping[str, Any]) -> None:
        table = audit["table"]
        whole = {**audit, **differs.get(table, {}), **explanation}
        write_audit(spark, job.audit_location(table), whole, f1_descriptions)

    list(threads.map(report, audits))


def _write_rejects(
    spark: SparkSession,
    job: JobArguments,
    audits: Sequence[Mapping[str, Any]],
    records: Records,
    lineage: Lineage,
) -> None:
    """Write the rejected rows of all tables, and the report on them."""
    tables = [audit["table"] for audit in audits if audit["rejected"]]
    write_table(reject_rows(spark, tables, records, lineage), job.outputs[REJECTS])
    rejected = sum(audit["rejected"] for audit in audits)
    audit = {"table": REJECTS, "rows_out": rejected}
    write_audit(spark, job.audit_location(REJECTS), audit, f1_descriptions)


def _compare(spark: SparkSession, job: JobArguments, changes: Changes) -> Mapping[str, Mapping[str, Any]]:
    """Save the fingerprints for the next run, and return what each report says of seasons that differ."""
    written = {table: location for table, location in job.outputs.items() if table != REJECTS}
    after = read_fingerprints(spark, written)
    leave_fingerprints(spark, changes, after)
    return differences(base_fingerprints(spark, changes), after)


def count_screened(table: str, screened: DataFrame) -> tuple[DataFrame, Observation]:
    """Count rows and rejections while they are read, at no extra pass."""
    counts = Observation(f"{table} screened")
    rejected = F.count("reason").alias("rejected")
    return screened.observe(counts, F.count(F.lit(1)).alias("rows_in"), rejected), counts


def count_rows(table: str, rows: DataFrame) -> tuple[DataFrame, Observation]:
    """Count rows, merged ones and every flag while the table is written."""
    counts = Observation(f"{table} rows")
    by_flag = [
        F.count_if(F.array_contains("dq_flags", rule.code)).alias(rule.code) for rule in rules_of(table)
    ]
    merged = F.coalesce(F.sum(F.col("source_rows") - 1), F.lit(0)).alias("merged")
    return rows.observe(counts, F.count(F.lit(1)).alias("rows_out"), merged, *by_flag), counts


def reject_rows(spark: SparkSession, tables: Iterable[str], records: Records, lineage: Lineage) -> DataFrame:
    """Return silver_rejects.f1_row: the rejected rows of the tables, each with its reason and its source."""
    none = spark.range(0).select(
        *(F.lit(None).cast(kind).alias(name) for name, kind in _REJECT_COLUMNS.items())
    )
    parts = (rejects(table, records).withColumn("table_name", F.lit(table)) for table in tables)
    return reduce(DataFrame.unionByName, parts, none).withColumns(dict(lineage)).coalesce(1)


def rejects(table: str, records: Records) -> DataFrame:
    """Return the rejected rows of a table, each with its `reason` and its `row` as it arrived."""
    screened = screen_rows(table, records).where(F.col("reason").isNotNull())
    return screened.select("reason", "row", "source_file", "source_row")


def check_audit(
    audit: Mapping[str, Any], failing: Iterable[str], max_reject_share: float, records: Records
) -> None:
    """Raise QualityError if rows were lost, too many were rejected, or a rule that fails the run was broken."""
    table = audit["table"]
    if audit["rows_in"] != audit["rows_out"] + audit["merged"] + audit["rejected"]:
        raise QualityError(f"{table}: rows in are not rows out, merged and rejected: {audit}")
    if audit["rejected"] > max_reject_share * audit["rows_in"]:
        raise QualityError(
            f"{table}: {audit['rejected']} of {audit['rows_in']} rows rejected, more than {max_reject_share:.1%}: "
            + _describe(rejects(table, records))
        )
    broken = {code: count for code, count in audit["flags"].items() if code in failing}
    if broken:
        raise QualityError(f"{table}: rows break rules that fail the run: {broken}")


def _describe(rejected: DataFrame) -> str:
    """Return the commonest reasons for a rejection, each with its number of rows and an example."""
    reasons = rejected.groupBy("reason").agg(F.count(F.lit(1)).alias("n"), F.min("row").alias("example"))
    commonest = reasons.orderBy(F.desc("n"), "reason").limit(EXAMPLES).collect()
    return "; ".join(f"{row.reason} {row.n} times, as in {str(row.example)[:200]}" for row in commonest)


def check_references(spark: SparkSession, outputs: Mapping[str, str]) -> None:
    """Raise QualityError if a row names a race, driver, team or circuit that no table of this run has."""
    checked = [rule for rule in REFERENCES if rule.table in outputs and rule.dimension in outputs]
    if not checked:
        return
    sides = [side for rule in checked for side in _sides(spark, rule, outputs)]
    values = reduce(DataFrame.union, sides).coalesce(1).groupBy("dimension", "value")
    known = values.agg(F.bool_or("is_known").alias("is_known"), F.min("named_by").alias("named_by"))
    orphans = known.where(~F.col("is_known")).orderBy("dimension", "value").limit(EXAMPLES).collect()
    if orphans:
        examples = "; ".join(f"{row.named_by} names {row.value}, not in {row.dimension}" for row in orphans)
        raise QualityError(f"references without a target: {examples}")


def _sides(spark: SparkSession, reference: Reference, outputs: Mapping[str, str]) -> list[DataFrame]:
    schema = ", ".join(
        f"{column} {'int' if column in ('season', 'round') else 'string'}" for column in reference.columns
    )
    value = F.concat_ws("/", *reference.columns).alias("value")
    named = [F.lit(reference.dimension).alias("dimension"), value]
    return [
        spark.read.schema(schema).parquet(outputs[table]).where(f"{reference.columns[0]} is not null").select(
            *named, F.lit(is_known).alias("is_known"), F.lit(name).cast("string").alias("named_by")
        )
        for table, is_known, name in ((reference.table, False, reference.table), (reference.dimension, True, None))
    ]  # fmt: skip


def main() -> None:
    """Run the Glue job."""
    job = arguments(sys.argv)
    run(spark_session("bronze_to_silver_api", is_small=True), job)


if __name__ == "__main__":
    main()
