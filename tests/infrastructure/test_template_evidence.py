"""The signing key and the bucket of anchors: who may do what, and that neither goes with the stack."""

import json
from typing import Any

import pytest

from tests.infrastructure import sam

AUDIT_ROLE = {"AWS": {"Fn::GetAtt": ["ChainAuditFunctionRole", "Arn"]}}
OBJECTS = {"Fn::Sub": "${AnchorBucket.Arn}/*"}


def key_statements() -> dict[str, sam.Json]:
    (key,) = sam.of_type("AWS::KMS::Key").values()
    return {statement["Sid"]: statement for statement in key["KeyPolicy"]["Statement"]}


def bucket() -> sam.Json:
    (found,) = sam.of_type("AWS::S3::Bucket").values()
    return found


def refusals() -> dict[str, sam.Json]:
    (policy,) = sam.of_type("AWS::S3::BucketPolicy").values()
    return {statement["Sid"]: statement for statement in policy["PolicyDocument"]["Statement"]}


def test_the_key_is_an_ed25519_key_that_signs() -> None:
    (key,) = sam.of_type("AWS::KMS::Key").values()
    assert (key["KeySpec"], key["KeyUsage"]) == ("ECC_NIST_EDWARDS25519", "SIGN_VERIFY")


def test_the_audit_alone_signs_and_only_as_the_verifier_expects() -> None:
    signing = [statement for statement in key_statements().values() if "kms:Sign" in json.dumps(statement)]
    assert signing == [
        {
            "Sid": "TheAuditSigns",
            "Effect": "Allow",
            "Principal": AUDIT_ROLE,
            "Action": "kms:Sign",
            "Resource": "*",
            "Condition": {"StringEquals": {"kms:SigningAlgorithm": "ED25519_SHA_512", "kms:MessageType": "RAW"}},
        }
    ]


def test_administrators_of_the_key_can_neither_sign_nor_grant_it() -> None:
    statement = key_statements()["AdministratorsDoNotSign"]
    assert {"kms:PutKeyPolicy", "kms:ScheduleKeyDeletion"} <= set(statement["Action"])
    assert not [action for action in statement["Action"] if "*" in action or action in ("kms:Sign", "kms:CreateGrant")]


def test_nobody_else_has_anything_to_do_with_the_key() -> None:
    root = {"AWS": {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}}
    assert [statement["Principal"] for statement in key_statements().values()] == [root, AUDIT_ROLE, AUDIT_ROLE]
    assert "kms:" not in json.dumps(sam.of_type("AWS::IAM::Role"))


def test_the_bucket_locks_what_it_gets_in_compliance_mode() -> None:
    lock = {"Mode": "COMPLIANCE", "Days": {"Ref": "AnchorRetentionDays"}}
    assert bucket()["ObjectLockEnabled"] is True
    assert bucket()["ObjectLockConfiguration"] == {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": lock}}
    assert bucket()["VersioningConfiguration"] == {"Status": "Enabled"}


def test_the_bucket_is_private_and_encrypted() -> None:
    assert set(bucket()["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(bucket()["PublicAccessBlockConfiguration"]) == 4
    assert "SSEAlgorithm" in json.dumps(bucket()["BucketEncryption"])


@pytest.mark.parametrize(
    ("sid", "action", "condition"),
    [
        ("OverTlsOnly", "s3:*", {"Bool": {"aws:SecureTransport": "false"}}),
        ("NeverOverwritten", "s3:PutObject", {"Null": {"s3:if-none-match": "true"}}),
        ("NeverHidden", "s3:DeleteObject", None),
    ],
)
def test_the_bucket_refuses_everybody(sid: str, action: str, condition: Any) -> None:
    statement = refusals()[sid]
    assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", action)
    assert OBJECTS in (statement["Resource"], *statement["Resource"])
    assert statement.get("Condition") == condition


@pytest.mark.parametrize("name", ["SigningKey", "AnchorBucket", "AnchorBucketPolicy"])
def test_evidence_outlives_the_stack(name: str) -> None:
    resource = sam.resources()[name]
    assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("Retain", "Retain")
