"""A log whose function's password is kept in AWS and changed, for tests."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import boto3

from eventlog.settings import Settings
from local.mongod.secured import SecuredMongo
from tests.support.secured import ORIGIN, SecuredLog

OLD, NEW = "the old password: @/?%", "the new password: @/?%"


@dataclass
class Secret:
    """A text in Secrets Manager or SSM, and how to change it."""

    arn: str
    put: Callable[[str], Any]


def in_secrets_manager(text: str) -> Secret:
    manager = boto3.client("secretsmanager")
    arn = manager.create_secret(Name=f"mongo-{uuid4().hex}", SecretString=text)["ARN"]
    return Secret(arn, lambda new: manager.put_secret_value(SecretId=arn, SecretString=new))


def in_parameter_store(text: str) -> Secret:
    ssm = boto3.client("ssm")
    name = f"/eventlog/{uuid4().hex}"

    def put(new: str) -> None:
        ssm.put_parameter(Name=name, Value=new, Type="SecureString", Overwrite=True)

    put(text)
    return Secret(ssm.get_parameter(Name=name)["Parameter"]["ARN"], put)


@dataclass
class Rotated:
    """A log whose function's password is in a secret."""

    log: SecuredLog
    user: str
    secret: Secret

    def uri(self, password: str, user: str | None = None) -> str:
        return self.log.mongo.uri_of(user or self.user, password, self.log.database)

    def change_password(self) -> None:
        """The administrator changes it; MongoDB refuses it to new connections only, so all are dropped."""
        with self.log.mongo.client() as administrator:
            administrator[self.log.database].command("updateUser", self.user, pwd=NEW)
        self.log.mongo.stop()
        self.log.mongo.start()

    def replace_user(self) -> str:
        """The administrator makes a second user and removes the first, whose connections live on."""
        second = f"{self.user}-2"
        with self.log.mongo.client() as administrator:
            database = administrator[self.log.database]
            database.command("createUser", second, pwd=NEW, roles=[self.user])
            self.secret.put(self.uri(NEW, second))
            database.command("dropUser", self.user)
        return second

    def settings(self) -> Settings:
        return Settings(
            mongo_uri=None,
            mongo_uri_secret=self.secret.arn,
            mongo_database=self.log.database,
            EVENTLOG_ORIGIN=ORIGIN,
        )


def rotated(mongo: SecuredMongo, function: str, keep: Callable[[str], Secret] = in_secrets_manager) -> Rotated:
    log, user = SecuredLog(mongo), f"eventlog-{function}"
    log.set_up(passwords={user: OLD})
    return Rotated(log, user, keep(mongo.uri_of(user, OLD, log.database)))
