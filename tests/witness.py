"""Run what etltctl does with AWS and Airbyte on the embedded server, and print what the witness recorded.

Every call and every answer is checked against the services' own models. The exit status is 1 if one contradicts them,
if a call was not checked, if there was none to check, or if a command failed.
"""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from etltctl.local.witness import Seen, read_seen
from support.checkout import Checkout
from support.sample_settings import on_sample
from support.served import ACCOUNT, serve
from support.workplace import Workplace

TESTS = Path(__file__).parent
GOVERNANCE = TESTS.parent / "docs" / "examples" / "governance.toml"
COUNT = "select count(*) as n from weather_daily"
PIPELINES = (
    ("run", "mongodb", "--run-id", "witness-mongodb"),
    ("run", "api", "--run-id", "witness-api"),
    ("runs", "logs", "witness-mongodb"),
    ("athena", "refresh"),
    ("athena", "tables"),
    ("athena", "query", COUNT),
    ("connections", "plan"),
    ("connections", "apply"),
    ("source", "check", "mongodb"),
    ("source", "discover", "api"),
)
GOVERNED = (
    ("govern", "plan"),
    ("govern", "apply", "--yes"),
    ("govern", "plan"),
    ("govern", "who", "gold.weather_daily"),
    ("athena", "query", COUNT, "--as", "role:analyst"),
    ("govern", "audit"),
)
DEPLOYMENT = (
    ("infra", "plan"),
    ("infra", "deploy", "--yes"),
    ("infra", "plan"),
    ("infra", "destroy", "--yes"),
)


def main() -> int:
    """Run all checks in a folder that is removed afterwards; return the exit status."""
    with TemporaryDirectory(prefix="etltctl-witness-") as folder:
        on_lake, have_run = work_on_lake(Path(folder) / "lake")
        on_account, is_deployed = deploy(Path(folder) / "account")
    seen = [*on_lake, *on_account]
    is_clean = report("AWS", [call for call in seen if call.service != "airbyte"])
    is_clean &= report("Airbyte", [call for call in seen if call.service == "airbyte"])
    return 0 if is_clean and have_run and is_deployed else 1


def work_on_lake(folder: Path) -> tuple[list[Seen], bool]:
    """Run both pipelines on the samples and apply governance; return the calls, and whether all succeeded."""
    folder.mkdir()
    place = Workplace(folder)
    place.run("local", "up")
    try:
        have_run = run_all(place, PIPELINES)
        (folder / "etltctl.toml").write_text(on_sample(GOVERNANCE.read_text()))
        have_run &= run_all(place, GOVERNED)
    finally:
        place.run("local", "down")
    return read_seen(folder / ".etltctl" / "server" / "witness.jsonl"), have_run


def deploy(folder: Path) -> tuple[list[Seen], bool]:
    """Deploy the stack to a server that plays the account, and destroy it; return as `work_on_lake` does."""
    checkout_folder = folder / "checkout"
    checkout_folder.mkdir(parents=True)
    with serve(folder / "state", "--keep", program=ACCOUNT) as account:
        is_deployed = run_all(Checkout.make(checkout_folder, account, "lake1"), DEPLOYMENT)
    return read_seen(folder / "state" / "server" / "witness.jsonl"), is_deployed


def run_all(place: Workplace, commands: Iterable[Sequence[str]]) -> bool:
    """Run commands of etltctl until one fails, which is printed; return whether all succeeded."""
    for command in commands:
        print(f"$ etltctl {' '.join(command)}", flush=True)
        try:
            place.run(*command)
        except AssertionError as failure:
            print(failure, flush=True)
            return False
    return True


def report(name: str, seen: Sequence[Seen]) -> bool:
    """Print what was checked; return whether calls were checked, all of them, and none contradicts the models."""
    checked = [call for call in seen if not call.unchecked]
    violations = Counter(f"{c.service} {c.operation}: {text}" for c in checked for text in c.violations)
    operations = defaultdict(set)
    for call in checked:
        operations[call.service].add(call.operation)
    count = sum(len(names) for names in operations.values())
    print(f"\n{name}: {count} operations, {len(checked)} calls checked, {violations.total()} violations")
    for service, names in sorted(operations.items()):
        print(f"  {service}: {', '.join(sorted(names))}")
    for text, times in violations.most_common():
        print(f"  violation ({times} times): {text}")
    unchecked = Counter(call.unchecked for call in seen if call.unchecked)
    for reason, times in unchecked.most_common():
        print(f"  not checked, {times} calls: {reason}")
    unread = sorted({pattern for call in seen for pattern in call.unread})
    if unread:
        print(f"  {len(unread)} patterns left out, which Python cannot read:")
    for pattern in unread:
        print(f"    {pattern}")
    return bool(checked) and not violations and not unchecked


if __name__ == "__main__":
    sys.exit(main())
