"""Exit codes from the error tree, environment variables from where they are read."""

from __future__ import annotations

import re
from pathlib import Path

from etltctl import errors
from etltctl.errors import EtltctlError, ExitCode
from etltctl.settings.loading import NAMED_VARIABLES

SOURCES = Path(errors.__file__).parent

# Codes that no error class has.
CODES: dict[int, str] = {
    ExitCode.OK: "done, or nothing to do",
    ExitCode.USAGE: "the command line is wrong, or asks for something that does not exist",
    10: "a plan has changes; only with `--detailed-exitcode`",
    ExitCode.INTERRUPTED: "interrupted; stderr says whether remote work was stopped or goes on",
    ExitCode.TERMINATED: "ended by SIGTERM; stderr says whether remote work was stopped or goes on",
}

VARIABLES = {
    "ETLTCTL_CONFIG": "the settings file, as `--config`",
    "ETLTCTL_ENV": "the environment, as `--env`",
    "ETLTCTL_OUTPUT": "how results are written, as `--output`",
    "ETLTCTL_STATE_DIR": "the setting `state`",
    "ETLTCTL_DATA_PACK": "a folder of real Formula 1 records and weather for the embedded samples and the tests",
    "ETLTCTL_SEED": "the seed of randomised tests of etltctl itself; `random` draws one",
    "ETLTCTL_EVERY_BOUNDARY": "in tests of etltctl itself: kill a pipeline at every boundary, not at chosen ones",
    "ETLTCTL_SCREENSHOTS": "in tests of etltctl itself: the folder for new pictures of Airflow",
    "ETLTCTL__SECTION__KEY": "any setting: `ETLTCTL__ATHENA__MAX_SCAN=5GB` is `athena.max_scan`; lists as in TOML",
    "AWS_PROFILE": "the setting `aws.profile`",
    "AWS_REGION": "the setting `aws.region`; so does AWS_DEFAULT_REGION, after it",
    "AWS_ENDPOINT_URL": "another address for AWS's API, AWS_ENDPOINT_URL_GLUE and so on for one service",
    "AIRBYTE_CLIENT_ID": "where the shipped settings look for `airbyte.client_id`; AIRBYTE_CLIENT_SECRET likewise",
    "AIRBYTE_MONGODB_CONNECTION_ID": "the connection of the source `mongodb`; AIRBYTE_API_CONNECTION_ID of `api`",
    "MONGODB_URI": "where the shipped settings look for `sources.mongodb.uri`",
    "NO_COLOR": "plain lines, no live progress; so do CI and TERM=dumb",
}


def exit_codes_page() -> str:
    """Return the page of exit codes."""
    rows = [f"| {int(code)} | {meaning(code)} |" for code in ExitCode]
    return "\n".join(
        [
            "# Exit codes\n",
            "| exit code | meaning |",
            "| --- | --- |",
            *rows,
            "",
            "`etltctl doctor` exits with 0 if nothing failed; else with 3 if the settings, or something they name, are "
            "at fault, else with 4 if credentials or permissions are, else with 1. Warnings do not change the code.\n",
            "In Python every error is a class with the same code as `exit_code`:\n",
            f"```text\n{_tree()}\n```\n",
        ]
    )


def meaning(code: ExitCode) -> str:
    """Return what the code means: the first sentence of the error that has it."""
    if code in CODES:
        return CODES[code]
    kinds = [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, EtltctlError) and kind.exit_code == code
    ]
    if not kinds:
        return code.name.lower().replace("_", " ")
    text = (kinds[0].__doc__ or "").strip().partition("\n")[0]
    return text[0].lower() + text[1:].rstrip(".")


def _tree() -> str:
    return (errors.__doc__ or "").partition("\n\n")[2].strip()


def environment_page() -> str:
    """Return the page of environment variables."""
    rows = [f"| `{name}` | {text} |" for name, text in VARIABLES.items()]
    return "\n".join(
        [
            "# Environment variables\n",
            "A flag comes before a variable, a variable before the settings file. `etltctl config show` prints which "
            "variable a value comes from.\n",
            "| variable | what it sets |",
            "| --- | --- |",
            *rows,
            "",
        ]
    )


def variables_in_code() -> set[str]:
    """Return the variables of etltctl's own that the code names; those of the machinery of a Glue run left out."""
    files = [path for path in SOURCES.rglob("*.py") if "local" not in path.parts]
    named = {
        name
        for path in files
        for name in re.findall(r'"(ETLTCTL_[A-Z][A-Z_]*[A-Z])"', path.read_text("utf-8"))
    }
    return {name for name in named | set(NAMED_VARIABLES) if name != "AWS_DEFAULT_REGION"}
