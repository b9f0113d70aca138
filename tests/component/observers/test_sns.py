"""A topic of SNS takes the message: moto's own API is the witness, and botocore's model of the service."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from etltctl.infrastructure.names import Names
from etltctl.infrastructure.roles import operator_statements
from etltctl.observers.notifications import send_trial
from etltctl.observers.notifications.shapes import sns_message
from etltctl.settings import load_settings
from support.notifications import notification
from support.ports import free_port
from support.sql_project import SqlProject

REGION = "eu-west-1"  # not that of the settings


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    """The address of moto's server."""
    server = ThreadedMotoServer("127.0.0.1", free_port(), verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@pytest.fixture
def topics(moto: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Unmodified boto3 for the server; the library's calls of SNS go there too."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_SNS", moto)
    keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
    return {name: boto3.client(name, REGION, endpoint_url=moto, **keys) for name in ("sns", "sqs")}


def queue_of(topics: Any, topic: str, **attributes: str) -> str:
    """Return the address of a new queue that gets what the topic gets."""
    name = topic.rpartition(":")[2]
    url = topics["sqs"].create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    arn = topics["sqs"].get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    topics["sns"].subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn["Attributes"]["QueueArn"])
    return str(url)


def received(topics: Any, queue: str) -> list[dict[str, Any]]:
    messages = topics["sqs"].receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
    return [json.loads(message["Body"]) for message in messages]


def test_a_topic_in_another_region_gets_subject_text_and_attributes(project: SqlProject, topics: Any) -> None:
    topic = topics["sns"].create_topic(Name="runs")["TopicArn"]
    queue = queue_of(topics, topic)
    receiver = {"kind": "sns", "topic": topic, "on": ["succeeded"]}
    replace(project, settings=project.settings.overlaid({"notify": {"ops": receiver}})).run("notified-by-sns")
    (message,) = received(topics, queue)
    assert message["Subject"] == "wind succeeded (local)"
    assert "Run: notified-by-sns" in message["Message"]
    attributes = {name: each["Value"] for name, each in message["MessageAttributes"].items()}
    assert attributes == {"outcome": "succeeded", "pipeline": "wind", "env": "local"}


def test_a_topic_with_an_order_gets_one_end_once(topics: Any) -> None:
    topic = topics["sns"].create_topic(Name="runs.fifo", Attributes={"FifoTopic": "true"})["TopicArn"]
    queue = queue_of(topics, topic, FifoQueue="true")
    message = sns_message(notification(pipeline="päp line", run_id="r" * 300), topic)
    topics["sns"].publish(**message)
    topics["sns"].publish(**message)
    assert len(received(topics, queue)) == 1


def test_a_topic_that_is_missing_is_an_error_of_the_trial(project: SqlProject, topics: Any) -> None:
    receiver = {"kind": "sns", "topic": f"arn:aws:sns:{REGION}:123456789012:gone"}
    (result,) = send_trial(project.settings.overlaid({"notify": {"ops": receiver}}))
    assert result.error is not None
    assert "sns Publish" in result.error.message
    assert result.error.code == "NotFound"


def test_the_operator_may_publish_to_the_topics_of_the_settings_only() -> None:
    topic = f"arn:aws:sns:{REGION}:123456789012:runs"
    flags = {"notify.ops.kind": "sns", "notify.ops.topic": topic}
    statements = operator_statements(Names(load_settings(env="local", flags=flags, environ={})))
    allowed = {s["Sid"]: s for s in statements}["Notifications"]
    assert (allowed["Action"], allowed["Resource"]) == (["sns:Publish"], [topic])
    plain = operator_statements(Names(load_settings(env="local", environ={})))
    assert "Notifications" not in {statement["Sid"] for statement in plain}
