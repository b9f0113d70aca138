"""A job to which a service refused access ends with the exit code of a refusal."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from etltctl.errors import ExitCode
from etltctl.logs import LogLine, LogTail
from etltctl.pipeline.failures import failed
from etltctl.runs import JobRun

WRAPPED = "py4j.protocol.Py4JJavaError: An error occurred while calling o247.parquet."
S3_SAYS = "java.nio.file.AccessDeniedException: s3://lake/x: Forbidden (Status Code: 403; Error Code: 403)"


@pytest.mark.parametrize(
    ("reason", "log", "code"),
    [
        (
            "AccessDeniedException: Insufficient Lake Formation permission(s) on silver.orders",
            "",
            ExitCode.ACCESS,
        ),
        (
            "User: arn:aws:sts::1:assumed-role/x is not authorized to perform: s3:GetObject",
            "",
            ExitCode.ACCESS,
        ),
        (
            "An error occurred (403) ... (Service: Amazon S3; Status Code: 403; Error Code: X)",
            "",
            ExitCode.ACCESS,
        ),
        ("Error Category: PERMISSION_ERROR; Failed Line Number: 12", "", ExitCode.ACCESS),
        (WRAPPED, S3_SAYS, ExitCode.ACCESS),
        (WRAPPED, "ZeroDivisionError: division by zero", ExitCode.FAILED),
        ("ZeroDivisionError: division by zero", S3_SAYS, ExitCode.FAILED),  # the job survived this refusal
        ("Command failed with exit code 1", "", ExitCode.FAILED),
        ("read 40312 rows, 403 of them bad", "", ExitCode.FAILED),
    ],
)
def test_a_refusal_inside_a_job_has_its_own_exit_code(reason: str, log: str, code: int) -> None:
    lines = (LogLine(datetime(2026, 1, 1, tzinfo=UTC), "output", "jr_1-driver", log),) if log else ()
    tail = LogTail((lines,))
    error = failed(JobRun("jr_1", "orders", "FAILED", reason), hint="etltctl retry r", log=tail)
    assert error.exit_code == code
    assert reason in error.message
    assert error.hint == "etltctl retry r"
