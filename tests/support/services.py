"""A real Airflow, 3.x or 2.11: its services as separate processes, and its REST API."""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from support.ports import free_port

START_S = 180.0
# No login: this Airflow listens on 127.0.0.1 and lives for minutes.
LOGIN_FREE = "AUTH_ROLE_PUBLIC = 'Admin'\nWTF_CSRF_ENABLED = False\n"


@dataclass
class Airflow:
    """The services of one Airflow: start, request, kill one, stop."""

    version: int
    program: Path
    home: Path
    dags: Path
    database: str
    extra: Mapping[str, str]
    awaited: frozenset[str] = frozenset({"dag_mongodb", "dag_api", "dag_small", "dag_held"})
    """The DAGs that Airflow knows once it is up."""
    port: int = field(default_factory=free_port)
    _processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _secret: str = field(default_factory=lambda: secrets.token_hex(40), repr=False)

    @property
    def url(self) -> str:
        """Return the address of the web UI and the REST API."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def services(self) -> dict[str, list[str]]:
        """Return the commands of the services that this version has."""
        if self.version == 3:
            web = ["api-server", "--workers", "1"]
            own = {"api-server": web, "dag-processor": ["dag-processor"]}
        else:
            own = {"webserver": ["webserver", "--workers", "1"]}
        return {**own, "scheduler": ["scheduler"], "triggerer": ["triggerer"]}

    def start(self) -> None:
        """Create the tables and start every service; return when the API answers."""
        self.home.mkdir(exist_ok=True)
        (self.home / "webserver_config.py").write_text(LOGIN_FREE)
        subprocess.run([self.program, "db", "migrate"], env=self.environ, check=True, capture_output=True)
        for name in self.services:
            self.start_service(name)
        self.wait_until(self._is_up, START_S, "Airflow is up")

    def start_service(self, name: str) -> None:
        """Start one service; its output goes to a file in the home folder."""
        with (self.home / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                [self.program, *self.services[name]], env=self.environ, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True, cwd=self.home,
            )  # fmt: skip

    def kill_service(self, name: str) -> None:
        """Kill the service and its child processes with SIGKILL."""
        process = self._processes.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def stop(self) -> None:
        """Stop every service, and end the remaining processes of this Airflow."""
        left = self.family()  # listed while their parents live
        for process in self._processes.values():
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
        deadline = time.monotonic() + 15
        while (left := (left | self.family()) & parents().keys()) and time.monotonic() < deadline:
            time.sleep(0.2)
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for process in self._processes.values():
            process.wait()

    def family(self) -> set[int]:
        """Return every live process that has this Airflow's home in its environment, or descends from one or a service.

        A process that changes its title, as a worker does, may overwrite its environment.
        """
        parent_of = parents()
        services = {process.pid for process in self._processes.values()}
        family = {pid for pid in parent_of if pid in services or self._is_marked(pid)}
        while children := {pid for pid, parent in parent_of.items() if parent in family} - family:
            family |= children
        return family

    def _is_marked(self, pid: int) -> bool:
        try:
            return f"AIRFLOW_HOME={self.home}\0".encode() in Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:
            return False

    @property
    def environ(self) -> dict[str, str]:
        """Return the environment of every service and every task."""
        mine = ("AIRFLOW", "AWS_", "ETLTCTL", "AIRBYTE_", "MONGODB_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(mine)}
        options = {
            "CORE__DAGS_FOLDER": str(self.dags),
            "CORE__LOAD_EXAMPLES": "False",
            "CORE__EXECUTOR": "SequentialExecutor" if self._is_frugal else "LocalExecutor",
            "CORE__PARALLELISM": "4",
            "CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "CORE__FERNET_KEY": base64.urlsafe_b64encode(bytes.fromhex(self._secret[:64])).decode(),
            "CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "DATABASE__SQL_ALCHEMY_CONN": self.database,
            "API__PORT": str(self.port), "API__HOST": "127.0.0.1", "API__BASE_URL": self.url,
            "API__SECRET_KEY": self._secret, "API_AUTH__JWT_SECRET": self._secret,
            "API__AUTH_BACKENDS": "airflow.api.auth.backend.default",
            "WEBSERVER__WEB_SERVER_PORT": str(self.port), "WEBSERVER__WEB_SERVER_HOST": "127.0.0.1",
            "WEBSERVER__SECRET_KEY": self._secret, "WEBSERVER__BASE_URL": self.url,
            "LOGGING__WORKER_LOG_SERVER_PORT": str(self.port + 1),
            "LOGGING__TRIGGER_LOG_SERVER_PORT": str(self.port + 2),
            "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
            "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
            "SCHEDULER__SCHEDULER_ZOMBIE_TASK_THRESHOLD": "20", "SCHEDULER__ZOMBIE_DETECTION_INTERVAL": "5",
            "TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "15", "TRIGGERER__JOB_HEARTBEAT_SEC": "3",
            "SCHEDULER__ENABLE_HEALTH_CHECK": "False",
        }  # fmt: skip
        named = {f"AIRFLOW__{name}": value for name, value in options.items()}
        return {**kept, "AIRFLOW_HOME": str(self.home), "PYTHONWARNINGS": "ignore", **named, **self.extra}

    @property
    def _is_frugal(self) -> bool:
        """Return whether Airflow 2 runs on SQLite, where it runs one task at a time."""
        return self.version == 2 and self.database.startswith("sqlite")

    # its API

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Return the REST API's answer, as JSON."""
        headers = {"Content-Type": "application/json", "Accept": "application/json", **self._login()}
        data = None if body is None else json.dumps(body).encode()
        base = "/api/v2" if self.version == 3 else "/api/v1"
        with urlopen(Request(self.url + base + path, data, headers, method=method), timeout=60) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def trigger(self, dag: str, **conf: Any) -> str:
        """Start a new DAG run and return its id."""
        body = {"conf": conf, **({"logical_date": None} if self.version == 3 else {})}
        return str(self.ask("POST", f"/dags/{dag}/dagRuns", body)["dag_run_id"])

    def state(self, dag: str, run: str) -> str:
        """Return the DAG run's state."""
        return str(self.ask("GET", f"/dags/{dag}/dagRuns/{_quoted(run)}")["state"])

    def tasks(self, dag: str, run: str) -> dict[str, dict[str, Any]]:
        """Return the run's task instances by task id."""
        instances = self.ask("GET", f"/dags/{dag}/dagRuns/{_quoted(run)}/taskInstances")["task_instances"]
        return {task["task_id"]: task for task in instances}

    def clear(self, dag: str, run: str, task: str) -> None:
        """Clear one task of the run, as a user does to run it again."""
        body = {
            "dry_run": False, "dag_run_id": run, "task_ids": [task], "only_failed": False, "reset_dag_runs": True,
        }  # fmt: skip
        self.ask("POST", f"/dags/{dag}/clearTaskInstances", body)

    def mark_failed(self, dag: str, run: str, task: str) -> None:
        """Mark one task of the run failed, as a user does to end it."""
        path = f"/dags/{dag}/dagRuns/{_quoted(run)}/taskInstances/{task}"
        body = {"new_state": "failed", **({"dry_run": False} if self.version == 2 else {})}
        self.ask("PATCH", path, body)

    def end_runs(self) -> None:
        """Mark every live DAG run failed, as a user does to end it."""
        for run in self._live_runs():
            path = f"/dags/{run['dag_id']}/dagRuns/{_quoted(run['dag_run_id'])}"
            self.ask("PATCH", path, {"state": "failed"})
        self.wait_until(lambda: not self._live_runs(), 60.0, "every DAG run has ended")

    def _live_runs(self) -> list[dict[str, Any]]:
        runs = self.ask("GET", "/dags/~/dagRuns?limit=100")["dag_runs"]
        return [run for run in runs if run["state"] in {"queued", "running"}]

    def wait_for(self, dag: str, run: str, task: str, *states: str, seconds: float = 180.0) -> dict[str, Any]:
        """Return the task instance once it is in one of these states."""
        self.wait_until(lambda: self.tasks(dag, run)[task]["state"] in states, seconds, f"{task} is {states}")
        return self.tasks(dag, run)[task]

    def wait_for_trigger(self, dag: str, run: str, task: str) -> None:
        """Return once a triggerer runs the trigger of the deferred task; the version decides which log shows it."""
        pattern = re.compile(rf"trigger {re.escape(f'{dag}/{run}/{task}')}/\S+ \(ID \d+\) starting")
        own = self.home / "triggerer.log"
        self.wait_until(
            lambda: bool(pattern.search(self.log(dag, run, task) + own.read_text(errors="replace"))),
            60.0,
            f"a triggerer waits for {task}",
        )

    def wait_for_end(self, dag: str, run: str, seconds: float = 400.0) -> str:
        """Return the state in which the DAG run ended."""
        self.wait_until(lambda: self.state(dag, run) in {"success", "failed"}, seconds, f"{dag} has ended")
        return self.state(dag, run)

    def log(self, dag: str, run: str, task: str) -> str:
        """Return everything that the task's tries logged, as the files show it."""
        folder = self.home / "logs" / f"dag_id={dag}" / f"run_id={run}" / f"task_id={task}"
        files = (file for file in sorted(folder.rglob("*.log*")) if file.is_file())
        return "\n".join(file.read_text(errors="replace") for file in files)

    def wait_until(self, is_so: Callable[[], bool], seconds: float, what: str) -> None:
        """Wait for a condition that becomes true in another process."""
        deadline = time.monotonic() + seconds
        while not is_so():
            assert time.monotonic() < deadline, (
                f"after {seconds:.0f} s it is still not true that {what}; logs: {self.home}"
            )
            time.sleep(0.5)

    def _login(self) -> dict[str, str]:
        if self.version == 2:
            return {}
        with urlopen(f"{self.url}/auth/token", timeout=60) as answer:
            return {"Authorization": f"Bearer {json.load(answer)['access_token']}"}

    def _is_up(self) -> bool:
        for name, process in self._processes.items():
            assert process.poll() is None, f"{name} ended: {(self.home / f'{name}.log').read_text()[-2000:]}"
        try:
            known = {dag["dag_id"] for dag in self.ask("GET", "/dags")["dags"]}
        except (HTTPError, OSError, ValueError):
            return False
        return known >= self.awaited


def parents() -> dict[int, int]:
    """Return the parent of every live process of this machine, without ended processes that no one has waited for."""
    parent_of = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
            if state != "Z":
                parent_of[int(entry.name)] = int(parent)
    return parent_of


def _quoted(run: str) -> str:
    return run.replace("+", "%2B").replace(":", "%3A")
