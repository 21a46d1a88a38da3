"""What a witness cosigns with and remembers: who may do what, and that nothing is forgotten."""

from typing import Any

import pytest

from tests.infrastructure import sam
from tests.infrastructure.stack import WITNESS, deployed

OBJECTS = "${WitnessBucket.Arn}/*"
ROLE = "${WitnessFunctionRole.Arn}"
RESOURCES = ("WitnessKey", "WitnessKeyAlias", "WitnessBucket", "WitnessBucketPolicy", "WitnessFunction")


def statements(name: str, policy: str) -> dict[str, sam.Json]:
    found = deployed(**WITNESS).properties(name)[policy]["Statement"]
    return {statement["Sid"]: statement for statement in found}


def test_without_a_name_there_is_no_witness() -> None:
    of_the_log = {"WitnessContradictionsAlarm", "WitnessFailuresAlarm"}  # on the witnesses that it asks
    assert {name for name in deployed().resources if "Witness" in name} <= of_the_log
    assert not [name for name in deployed().outputs if "Witness" in name]
    assert set(RESOURCES) <= deployed(**WITNESS).resources.keys()


def test_the_key_is_like_those_of_checkpoints_but_for_who_signs() -> None:
    key, of_log = (deployed(**WITNESS).properties(name) for name in ("WitnessKey", "SigningKey"))
    assert {name: key[name] for name in key.keys() - {"Description", "KeyPolicy"}} == {
        name: of_log[name] for name in of_log.keys() - {"Description", "KeyPolicy"}
    }
    own, others = (statements(name, "KeyPolicy") for name in ("WitnessKey", "SigningKey"))
    assert own["AdministratorsDoNotSign"] == others["AdministratorsDoNotSign"]
    for sid, of_audit in (
        ("TheWitnessSigns", "TheAuditSigns"),
        ("TheWitnessKnowsItsPublicKey", "TheAuditKnowsItsPublicKey"),
    ):
        assert own[sid] == others[of_audit] | {"Sid": sid, "Principal": {"AWS": ROLE}}
    assert len(own) == 3


def test_the_bucket_keeps_every_version_for_a_while() -> None:
    bucket = deployed(**WITNESS, WitnessRetentionDays=7).properties("WitnessBucket")
    lock = {"Mode": "COMPLIANCE", "Days": 7}
    assert bucket["ObjectLockEnabled"] is True
    assert bucket["ObjectLockConfiguration"] == {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": lock}}
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    (rule,) = bucket["LifecycleConfiguration"]["Rules"]
    assert (rule["Status"], rule["NoncurrentVersionExpiration"]) == ("Enabled", {"NoncurrentDays": 7})
    assert "Expiration" not in rule, "what is held now is never over"


def test_the_bucket_is_private_and_encrypted_as_that_of_the_anchors() -> None:
    own, anchors = (deployed(**WITNESS).properties(name) for name in ("WitnessBucket", "AnchorBucket"))
    for name in ("PublicAccessBlockConfiguration", "OwnershipControls", "BucketEncryption"):
        assert own[name] == anchors[name]


@pytest.mark.parametrize(
    ("sid", "action", "condition"),
    [
        ("OverTlsOnly", "s3:*", {"Bool": {"aws:SecureTransport": "false"}}),
        ("OverNewTlsOnly", "s3:*", {"NumericLessThan": {"s3:TlsVersion": "1.2"}}),
        ("TheWitnessAloneWrites", "s3:PutObject", {"ArnNotEquals": {"aws:PrincipalArn": ROLE}}),
        ("NeverWithoutACondition", "s3:PutObject", {"Null": {"s3:if-match": "true", "s3:if-none-match": "true"}}),
        ("NeverForgotten", ["s3:DeleteObject", "s3:DeleteObjectVersion"], None),
    ],
)
def test_the_bucket_refuses_everybody(sid: str, action: Any, condition: Any) -> None:
    found = statements("WitnessBucketPolicy", "PolicyDocument")[sid]
    assert (found["Effect"], found["Principal"], found["Action"]) == ("Deny", "*", action)
    assert OBJECTS in (found["Resource"], *found["Resource"])
    assert found.get("Condition") == condition


def test_the_bucket_lets_nobody_in() -> None:
    found = statements("WitnessBucketPolicy", "PolicyDocument").values()
    assert {statement["Effect"] for statement in found} == {"Deny"}


@pytest.mark.parametrize("name", ["WitnessKey", "WitnessBucket", "WitnessBucketPolicy"])
def test_what_it_cosigned_outlives_the_stack(name: str) -> None:
    resource = sam.resources()[name]
    assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("Retain", "Retain")


def test_an_operator_is_told_where_it_is() -> None:
    outputs = deployed(**WITNESS).outputs
    assert outputs["WitnessUrl"]["Value"] == "${HttpApi.ApiEndpoint}/witness/"
    assert outputs["WitnessFunctionArn"]["Value"] == "${WitnessFunctionAliaslive}"
