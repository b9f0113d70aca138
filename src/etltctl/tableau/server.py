"""A Tableau site, as one personal access token: publish a data source, refresh it, look at the job."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from etltctl.errors import (
    AccessError,
    ConfigurationError,
    EtltctlError,
    ServiceError,
    UnreachableError,
    command,
    install,
)
from etltctl.runs import RefreshJob, Verb

if TYPE_CHECKING:
    from etltctl.settings import Settings

T = TypeVar("T")
TIMEOUT_S = 300.0  # of one answer; the server takes its time when a large upload becomes a data source
FINISHED = {0: "Success", 1: "Failed", 2: "Cancelled", 3: "Completed"}
# Tableau's code for a session that is over; a token that was revoked has another code.
EXPIRED = "401002"
SUFFIXES = (".hyper", ".tds", ".tdsx")


@dataclass(frozen=True)
class Datasource:
    """A published data source."""

    id: str
    name: str
    project: str
    url: str = ""


@dataclass(frozen=True)
class Tableau:
    """One site of a Tableau server; `site` is its content URL, empty for the default site."""

    url: str
    site: str
    token_name: str
    token_secret: str = field(repr=False)

    @classmethod
    def from_settings(cls, settings: Settings, reveal: Callable[[str, str], str]) -> Tableau:
        """Return the site that the settings name; `reveal` gives the value behind a secret's reference."""
        named = settings.tableau
        if not named.server:
            raise ConfigurationError(
                "tableau.server is not set", hint='set server = "https://HOST" and site = "NAME" in [tableau]'
            )
        return cls(
            named.server.rstrip("/"),
            named.site,
            reveal(named.token_name, "tableau.token_name"),
            reveal(named.token_secret, "tableau.token_secret"),
        )

    def publish(self, file: Path, name: str, project: str) -> Datasource:
        """Publish the file as a data source, over one of the same name; above 64 MB in chunks.

        Raises:
            ConfigurationError: The file is not Tableau's, or there is no such project.
        """
        if file.suffix not in SUFFIXES or not file.is_file():
            trouble = "is not there" if file.suffix in SUFFIXES else f"is none of {', '.join(SUFFIXES)}"
            raise ConfigurationError(f"{file} {trouble}", hint=command("tableau", "export", "TABLE"))
        import tableauserverclient as tsc

        project_id = self._project_id(project)
        item = tsc.DatasourceItem(project_id=project_id, name=name)
        mode = tsc.Server.PublishMode.Overwrite
        done = self._call(
            f"publishing {name}", lambda server: server.datasources.publish(item, str(file), mode)
        )
        return Datasource(done.id, done.name, project, done.webpage_url or "")

    def find(self, name: str, project: str) -> Datasource:
        """Return the project's data source of this name; raise ConfigurationError if there is none, or several."""
        import tableauserverclient as tsc

        def ask(server: Any) -> list[Any]:
            options = tsc.RequestOptions()
            field_, operator = tsc.RequestOptions.Field.Name, tsc.RequestOptions.Operator.Equals
            options.filter.add(tsc.Filter(field_, operator, name))
            return list(tsc.Pager(server.datasources, options))

        named = [each for each in self._call(f"finding {name}", ask) if each.name == name]
        # The filter of the API knows no projects, and equal names in two projects are usual.
        ours = [each for each in named if each.project_name == project]
        if len(ours) != 1:
            places = ", ".join(sorted(str(each.project_name) for each in named)) or "none"
            raise ConfigurationError(
                f"{len(ours)} data sources are called {name} in project {project} of {self._place}",
                hint=f"projects with one of that name: {places}; set tableau.project, or publish it first",
            )
        return Datasource(ours[0].id, name, project, ours[0].webpage_url or "")

    def refresh(self, datasource: Datasource) -> tuple[Verb, RefreshJob]:
        """Queues a refresh of the data source's extract, or adopts the one that is already queued.

        A queued job that the server does not list has no id: it can be trusted, not waited for.
        """
        job = self._call(
            f"refreshing {datasource.name}", lambda server: server.datasources.refresh(datasource.id)
        )
        if job is not None:
            return Verb.STARTED, _job(job, datasource.name)
        return Verb.ADOPTED, self._queued(datasource)

    def poll(self, job_id: str, name: str) -> RefreshJob:
        """Return the job as the server sees it now."""
        job = self._call(f"looking at job {job_id}", lambda server: server.jobs.get_by_id(job_id))
        return _job(job, name)

    def cancel(self, job_id: str) -> None:
        """Asks the server to cancel the job."""
        self._call(f"cancelling job {job_id}", lambda server: server.jobs.cancel(job_id))

    def _queued(self, datasource: Datasource) -> RefreshJob:
        import tableauserverclient as tsc

        def ask(server: Any) -> list[Any]:
            options = tsc.RequestOptions()
            field_, operator = tsc.RequestOptions.Field.JobType, tsc.RequestOptions.Operator.Equals
            options.filter.add(tsc.Filter(field_, operator, "refresh_extracts"))
            return list(tsc.Pager(server.jobs, options))

        # The list holds the jobs of every user of the site, the ended ones too.
        live = [
            job for job in self._call(f"finding the refresh of {datasource.name}", ask)
            if job.name == datasource.name and job.status in ("Pending", "InProgress")
        ]  # fmt: skip
        if len(live) != 1:
            return RefreshJob("", datasource.name, "Pending")
        return RefreshJob(live[0].id, datasource.name, live[0].status)

    def _project_id(self, name: str) -> str:
        import tableauserverclient as tsc

        projects = self._call("listing the projects", lambda server: list(tsc.Pager(server.projects)))
        ids = [project.id for project in projects if project.name == name]
        if len(ids) != 1:
            known = ", ".join(sorted({str(project.name) for project in projects})) or "none"
            raise ConfigurationError(
                f"{len(ids)} projects are called {name} on {self._place}",
                hint=f"set tableau.project; known: {known}",
            )
        return str(ids[0])

    def _call(self, what: str, call: Callable[[Any], T]) -> T:
        """Return the answer; a sign-in that has run out is renewed once."""
        with self._translated(what):
            try:
                return call(self._signed_in())
            except _failed_sign_in() as error:
                if getattr(error, "code", "") != EXPIRED:
                    raise
                # The library would send the old session again, and has no public way to forget it.
                self._server._clear_auth()
                return call(self._signed_in())

    def _signed_in(self) -> Any:
        tsc = _client_library()
        if not self._server.is_signed_in():
            self._server.use_server_version()
            with self._translated("signing in"):
                credentials = tsc.PersonalAccessTokenAuth(self.token_name, self.token_secret, self.site)
                self._server.auth.sign_in(credentials)
        return self._server

    @cached_property
    def _server(self) -> Any:
        tsc = _client_library()
        return tsc.Server(self.url, http_options={"timeout": TIMEOUT_S})

    @property
    def _place(self) -> str:
        return f"{self.url}, site {self.site or '(default)'}"

    @contextmanager
    def _translated(self, what: str) -> Iterator[None]:
        tsc = _client_library()
        import requests
        from tableauserverclient.server.endpoint.exceptions import TableauError

        try:
            yield
        except tsc.FailedSignInError as error:
            # Raised as it is for `_call`, which signs in again once.
            if what != "signing in" and error.code == EXPIRED:
                raise
            raise AccessError(
                f"Tableau refused to sign in at {self._place}: {error.summary or error.code} ({error.code})",
                hint="check tableau.site (NAME in the address …/#/site/NAME/…), tableau.token_name and token_secret",
            ) from error
        except tsc.ServerResponseError as error:
            raise self._refusal(what, error) from error
        except TableauError as error:
            code = str(getattr(error, "code", ""))
            raise ServiceError(f"Tableau, {what}: {_first_line(error)}", code=code, is_open=True) from error
        except requests.RequestException as error:
            raise UnreachableError(
                f"Tableau at {self.url} did not answer, {what}: {type(error).__name__}",
                hint="check tableau.server and the network",
                code=type(error).__name__,
            ) from error

    def _refusal(self, what: str, error: Any) -> EtltctlError:
        message = f"Tableau, {what} at {self._place}: {error.summary}: {error.detail} ({error.code})"
        if error.code.startswith("403"):
            return AccessError(message, hint="the token's user needs the permission for it in the project")
        if error.code.startswith("404"):
            return ConfigurationError(message, hint="check tableau.site, tableau.project and the name")
        return ServiceError(message, code=error.code)


def _failed_sign_in() -> type[Exception]:
    return _client_library().FailedSignInError  # type: ignore[no-any-return]


def _client_library() -> Any:
    try:
        import tableauserverclient
    except ImportError as error:
        raise ConfigurationError("Tableau's client is not installed", hint=install("tableau")) from error
    return tableauserverclient


def _job(job: Any, name: str) -> RefreshJob:
    """Return the job's state. It runs until it has an end: before that its finish code says nothing."""
    if job.completed_at is None:
        word = "InProgress" if job.started_at else "Pending"
    else:
        word = FINISHED.get(job.finish_code, str(job.finish_code))
    return RefreshJob(job.id, name, word, "; ".join(filter(None, job.notes or [])))


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
