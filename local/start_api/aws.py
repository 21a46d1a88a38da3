"""The AWS that functions talk to here: moto on its own port, and our KMS for Ed25519 keys, which moto has not.

Resources are made as the template declares them: buckets with Object Lock, FIFO queues with dead letters, topics.
Nothing is kept: each start begins with empty resources, and so with an empty database too.
"""

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config
from moto.server import ThreadedMotoServer

from local.machine import HOST
from local.start_api import kms
from local.start_api.kms import KmsServer
from local.start_api.template import Json, Served, Symbols

REGION = "eu-central-1"
ACCOUNT = "123456789012"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_SESSION_TOKEN": "local"}
NO_VALUE = "AWS::NoValue"  # must not be empty, or SAM leaves an Fn::If with it as it is
QUEUE, BUCKET, TOPIC, KEY = "AWS::SQS::Queue", "AWS::S3::Bucket", "AWS::SNS::Topic", "AWS::KMS::Key"


@dataclass(frozen=True)
class LocalAws:
    """The URL of moto, and the KMS."""

    url: str
    kms: KmsServer

    def client(self, service: str) -> Any:
        """Make a client of moto that reads no AWS configuration of this machine."""
        session: Any = boto3.Session(
            region_name=REGION,
            aws_access_key_id="local",
            aws_secret_access_key="local",  # noqa: S106  moto takes any
        )
        return session.client(service, endpoint_url=self.url, config=Config(proxies={}))  # none of HTTP_PROXY's

    def environment(self) -> dict[str, str]:
        """Return the environment variables that make a function's AWS clients come here."""
        return CREDENTIALS | {
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ENDPOINT_URL_KMS": self.kms.url,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        }

    def symbols(self, declared: dict[str, str]) -> Symbols:
        """Return the values of Ref and Arn for resources that are made here later, and of pseudo parameters."""
        found: Symbols = {"AWS::Region": REGION, "AWS::AccountId": ACCOUNT, "AWS::NoValue": NO_VALUE}
        named: dict[str, Callable[[str], tuple[str, str]]] = {
            QUEUE: lambda name: (f"{self.url}/{ACCOUNT}/{name}.fifo", f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}.fifo"),
            BUCKET: lambda name: (name.lower(), f"arn:aws:s3:::{name.lower()}"),
            TOPIC: lambda name: (topic_arn(name), topic_arn(name)),
            KEY: lambda name: (name, f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{name}"),
        }
        for name, kind in declared.items():
            if kind in named:
                ref, arn = named[kind](name)
                found[name] = {"Ref": ref, "Arn": arn, "TopicName": name, "QueueName": f"{name}.fifo"}
        return found

    def add_secret(self, name: str, text: str) -> str:
        """Store a secret; return its ARN."""
        return str(self.client("secretsmanager").create_secret(Name=name, SecretString=text)["ARN"])

    def make(self, served: Served) -> None:
        """Make the resources that the template declares."""
        for name, bucket in served.of_type(BUCKET).items():
            self._make_bucket(name, bucket)
        # A queue's dead letter queue must exist first: it is the one without a redrive policy.
        for url, queue in sorted(served.of_type(QUEUE).items(), key=lambda found: "RedrivePolicy" in found[1]):
            self.client("sqs").create_queue(QueueName=url.rpartition("/")[2], Attributes=_attributes(queue))
        for arn in served.of_type(TOPIC):
            self.client("sns").create_topic(Name=arn.rpartition(":")[2])
        for name, key in served.of_type(KEY).items():
            if key.get("KeySpec") == "ECC_NIST_EDWARDS25519" and name not in self.kms.keys:  # one may be there before
                self.kms.make_key(name)

    def _make_bucket(self, name: str, properties: Json) -> None:
        s3 = self.client("s3")
        s3.create_bucket(
            Bucket=name,
            ObjectLockEnabledForBucket=properties["ObjectLockEnabled"],
            CreateBucketConfiguration={"LocationConstraint": REGION},
        )
        lock = properties["ObjectLockConfiguration"]
        retention = lock["Rule"]["DefaultRetention"]
        rule = {"DefaultRetention": retention | {"Days": int(retention["Days"])}}
        s3.put_object_lock_configuration(Bucket=name, ObjectLockConfiguration=lock | {"Rule": rule})


@contextmanager
def serve() -> Iterator[LocalAws]:
    """Run an empty AWS on 127.0.0.1 while the context lasts."""
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # or it writes a line for each request
    moto = ThreadedMotoServer(HOST, 0, verbose=False)
    moto.start()
    try:
        with kms.serve() as keys:
            yield LocalAws(f"http://{HOST}:{moto.get_host_and_port()[1]}", keys)
    finally:
        moto.stop()


def topic_arn(name: str) -> str:
    """Return the ARN of a topic."""
    return f"arn:aws:sns:{REGION}:{ACCOUNT}:{name}"


def _attributes(queue: Json) -> dict[str, str]:
    """Return a queue's properties as SQS's own API takes them."""
    flags = ("FifoQueue", "ContentBasedDeduplication", "VisibilityTimeout", "MessageRetentionPeriod")
    words = ("DeduplicationScope", "FifoThroughputLimit")
    found = {name: str(queue[name]).lower() for name in flags if name in queue}
    found |= {name: queue[name] for name in words if name in queue}
    if policy := queue.get("RedrivePolicy"):
        found["RedrivePolicy"] = json.dumps(policy)
    return found
