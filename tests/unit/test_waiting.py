"""The waiter polls often enough, never past its deadline, and survives a poll that fails."""

from __future__ import annotations

import asyncio
import random
import statistics
from dataclasses import dataclass, field, replace

import pytest

from etltctl.errors import AccessError, ServiceError, UnreachableError, WaitTimeoutError
from etltctl.runs import JobRun, Run
from etltctl.schedule import schedule
from etltctl.waiting import Pace, Waiter, doze


@dataclass
class VirtualTime:
    """A clock that only sleeping moves."""

    now: float = 0.0
    slept: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    async def sleep_async(self, seconds: float) -> None:
        self.sleep(seconds)

    def waiter(self, **settings: float) -> Waiter:
        return Waiter(clock=lambda: self.now, sleep=self.sleep, sleep_async=self.sleep_async, **settings)


def run(word: str) -> JobRun:
    return JobRun(id="jr_1", name="job", status=word)


def polls(*words: str | ServiceError | AccessError):
    answers = iter(words)

    def poll() -> Run:
        answer = next(answers)
        if isinstance(answer, ServiceError | AccessError):
            raise answer
        return run(answer)

    return poll


def test_a_wait_returns_the_run_in_its_final_status() -> None:
    time = VirtualTime()
    done = time.waiter().wait(run("STARTING"), polls("STARTING", "RUNNING", "SUCCEEDED"))
    assert done.status == "SUCCEEDED"
    assert len(time.slept) == 3


def test_a_run_that_has_ended_is_not_polled() -> None:
    time = VirtualTime()
    assert time.waiter().wait(run("FAILED"), polls()).status == "FAILED"
    assert time.slept == []


def test_pauses_between_polls_grow_up_to_the_longest() -> None:
    time = VirtualTime()
    words = ["RUNNING"] * 10 + ["SUCCEEDED"]
    time.waiter(first_pause=1.0, growth=2.0, longest=10.0).wait(run("STARTING"), polls(*words))
    assert time.slept[:5] == [1.0, 2.0, 4.0, 8.0, 10.0]
    assert set(time.slept[4:]) == {10.0}


def test_a_wait_never_sleeps_past_its_deadline_and_names_the_run() -> None:
    time = VirtualTime()
    with pytest.raises(WaitTimeoutError, match="jr_1 of job is still RUNNING after 25 s"):
        time.waiter(timeout=25.0, first_pause=10.0, longest=10.0, growth=1.0).wait(
            run("STARTING"), polls(*["RUNNING"] * 9)
        )
    assert time.now == 25.0


def test_failed_polls_do_not_fail_a_healthy_run() -> None:
    time = VirtualTime()
    throttled = ServiceError("Rate exceeded", code="ThrottlingException")
    done = time.waiter().wait(run("STARTING"), polls(throttled, "RUNNING", throttled, throttled, "SUCCEEDED"))
    assert done.status == "SUCCEEDED"


def test_polls_that_fail_for_too_long_raise_their_error() -> None:
    time = VirtualTime()
    throttled = ServiceError("Rate exceeded", code="ThrottlingException")
    with pytest.raises(ServiceError, match="Rate exceeded"):
        time.waiter(first_pause=30.0, longest=30.0, patience=100.0).wait(
            run("STARTING"), polls(*[throttled] * 50)
        )
    assert 100.0 < time.now <= 160.0


def test_an_unknown_status_counts_as_running_until_the_deadline() -> None:
    time = VirtualTime()
    with pytest.raises(WaitTimeoutError, match="still HIBERNATING"):
        time.waiter(timeout=60.0).wait(run("STARTING"), polls(*["HIBERNATING"] * 99))


def test_every_poll_is_reported() -> None:
    seen: list[str] = []
    VirtualTime().waiter().wait(
        run("STARTING"), polls("RUNNING", "SUCCEEDED"), on_poll=lambda polled: seen.append(polled.status)
    )
    assert seen == ["RUNNING", "SUCCEEDED"]


def test_the_async_driver_polls_the_same_way() -> None:
    time = VirtualTime()
    done = asyncio.run(time.waiter().wait_async(run("STARTING"), polls("RUNNING", "SUCCEEDED")))
    assert done.status == "SUCCEEDED"
    assert len(time.slept) == 2


def test_a_job_of_known_duration_is_polled_when_it_is_likely_to_end() -> None:
    time = VirtualTime()
    polled_at: list[float] = []

    def poll() -> Run:
        polled_at.append(time.now)
        return run("SUCCEEDED" if time.now >= 600 else "RUNNING")

    time.waiter(expected=(590.0, 595.0, 600.0, 605.0, 610.0)).wait(run("STARTING"), poll)  # type: ignore[call-arg]
    assert polled_at[0] == 60.0, "once early, in case the job fails at its start"
    assert 580 < polled_at[1] < 600
    assert len(polled_at) <= 14
    assert time.now - 600 < 2.5


def test_a_job_that_takes_longer_than_ever_is_still_polled() -> None:
    time = VirtualTime()

    def poll() -> Run:
        return run("SUCCEEDED" if time.now >= 2000 else "RUNNING")

    time.waiter(expected=(100.0, 101.0, 102.0), longest=20.0).wait(run("STARTING"), poll)  # type: ignore[call-arg]
    assert 2000 <= time.now <= 2020


def test_credentials_that_expire_during_a_wait_are_retried_and_ones_that_never_worked_are_not() -> None:
    expired = AccessError("the token has expired")
    done = VirtualTime().waiter().wait(run("STARTING"), polls("RUNNING", expired, expired, "SUCCEEDED"))
    assert done.status == "SUCCEEDED"
    with pytest.raises(AccessError):
        VirtualTime().waiter().wait(run("STARTING"), polls(expired))


def test_a_machine_that_slept_polls_once_more_and_waits_for_its_network() -> None:
    """After a night's sleep the deadline is past and names do not resolve yet: the run is still polled."""
    time = VirtualTime()
    polls_made: list[float] = []

    def sleep(seconds: float) -> None:
        time.now += 8 * 3600 if len(polls_made) == 1 else seconds

    def poll() -> Run:
        polls_made.append(time.now)
        if 1 < len(polls_made) < 5:
            raise UnreachableError("Temporary failure in name resolution")
        return run("RUNNING" if len(polls_made) == 1 else "SUCCEEDED")

    waiter = Waiter(timeout=12 * 3600.0, patience=60.0, clock=lambda: time.now, sleep=sleep)
    assert waiter.wait(run("RUNNING"), poll).status == "SUCCEEDED"
    polls_made.clear()
    time.now = 0.0
    over = Waiter(timeout=3600.0, clock=lambda: time.now, sleep=sleep)
    assert (
        over.wait(run("RUNNING"), lambda: poll() if not polls_made else run("SUCCEEDED")).status
        == "SUCCEEDED"
    )


def test_a_pause_ends_on_time_even_if_the_machine_slept_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The wall clock runs on while the machine sleeps. Each nap is short, so the end is noticed soon."""
    clock, naps = [100.0], []

    def nap(seconds: float) -> None:
        naps.append(seconds)
        clock[0] += 3600.0 if len(naps) == 2 else seconds

    monkeypatch.setattr("etltctl.waiting.since_boot", lambda: clock[0])
    monkeypatch.setattr("etltctl.waiting.time.sleep", nap)
    doze(300.0)
    assert naps == [10.0, 10.0]


def test_a_caller_with_a_limit_shortens_the_pause_after_a_poll() -> None:
    time = VirtualTime()

    def poll() -> Run:
        return run("SUCCEEDED" if time.now >= 500 else "RUNNING")

    waiter = replace(time.waiter(expected=(600.0, 600.0, 600.0)), poll_within=lambda seen: 100.0)  # type: ignore[call-arg]
    waiter.wait(run("RUNNING"), poll)
    assert max(time.slept) <= 100.0


def test_time_that_another_process_waited_counts() -> None:
    time = VirtualTime()
    waiter = time.waiter(timeout=700.0, waited=650.0, expected=(600.0, 600.0, 600.0))  # type: ignore[call-arg]
    with pytest.raises(WaitTimeoutError):
        waiter.wait(run("RUNNING"), lambda: run("RUNNING"))
    assert time.now == 50.0


def test_an_adopted_run_is_polled_when_its_end_is_likely() -> None:
    """Nine of ten minutes are over when it is adopted. The deadline still counts from the start of this wait."""
    time = VirtualTime()

    def poll() -> Run:
        return run("SUCCEEDED" if time.now >= 612 - 540 else "RUNNING")

    history = (590.0, 595.0, 600.0, 605.0, 610.0)
    time.waiter(ran=540.0, expected=history).wait(run("RUNNING"), poll)  # type: ignore[call-arg]
    assert time.now - (612 - 540) < 5.0
    assert len(time.slept) <= 30
    time = VirtualTime()
    with pytest.raises(WaitTimeoutError):
        time.waiter(timeout=100.0, ran=540.0).wait(run("RUNNING"), lambda: run("RUNNING"))
    assert time.now == 100.0


@pytest.mark.parametrize("spread", [0.02, 0.05])
def test_the_cost_of_polls_is_near_the_theoretical_minimum(spread: float) -> None:
    """Compare calls × delay, over runs that the schedule has not seen, with the bound that no such policy can beat."""
    chance = random.Random(7)
    cost = []
    history = tuple(chance.gauss(600, 600 * spread) for _ in range(20))
    for _ in range(400):
        end, time = chance.gauss(600, 600 * spread), VirtualTime()
        waiter = time.waiter(expected=history)  # type: ignore[call-arg]
        waiter.wait(
            run("RUNNING"), lambda end=end, time=time: run("SUCCEEDED" if time.now >= end else "RUNNING")
        )
        cost.append((len(time.slept), time.now - end))
    product = statistics.fmean(calls for calls, _ in cost) * statistics.fmean(delay for _, delay in cost)
    assert product < 1.5 * 1.04 * 600 * spread
    assert product < 300 / 6, "a fixed interval costs half the duration"


def test_a_job_with_short_and_long_runs_is_polled_where_each_ends() -> None:
    chance = random.Random(3)
    short, long = ([chance.gauss(middle, 3) for _ in range(10)] for middle in (100, 300))
    planned = schedule((*short, *long)).polls
    assert len([at for at in planned if 90 < at < 110]) > 5
    assert len([at for at in planned if 290 < at < 310]) > 2 * len([at for at in planned if 120 < at < 280])


def test_calls_are_spaced_to_stay_below_a_rate() -> None:
    slept: list[float] = []
    clock = iter((0.0, 0.1, 2.0))
    pace = Pace(2.0, clock=lambda: next(clock), sleep=slept.append)
    for _ in range(3):
        pace.take()
    assert slept == [pytest.approx(0.4)]
