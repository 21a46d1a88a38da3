"""The signing keys and the bucket of anchors: who may do what, and that neither goes with the stack."""

import json
from typing import Any

import pytest

from tests.infrastructure import sam
from tests.infrastructure.stack import ERASING, deployed

OBJECTS = "${AnchorBucket.Arn}/*"
ORDERS = "${AnchorBucket.Arn}/_governance/*"
ERASE_ROLE = {"AWS": "${EraseFunctionRole.Arn}"}
AUDIT_ROLE = {"AWS": ["${ChainAuditFunctionRole.Arn}", "${AuditRequestsFunctionRole.Arn}"]}
ROOT = {"AWS": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}
BOTH = {"SigningKeys": "second-and-first"}
KEYS = ["SigningKey", "SecondSigningKey"]
CYCLE = {
    "first": ({"SigningKey"}, "kms:${SigningKey}"),
    "first-second-prepared": ({"SigningKey", "SecondSigningKey"}, "kms:${SigningKey}"),
    "second-and-first": ({"SigningKey", "SecondSigningKey"}, "kms:${SecondSigningKey},kms:${SigningKey}"),
    "second": ({"SecondSigningKey"}, "kms:${SecondSigningKey}"),
    "second-first-prepared": ({"SigningKey", "SecondSigningKey"}, "kms:${SecondSigningKey}"),
    "first-and-second": ({"SigningKey", "SecondSigningKey"}, "kms:${SigningKey},kms:${SecondSigningKey}"),
}


def key_statements(key: str) -> dict[str, sam.Json]:
    statements = deployed(**BOTH).properties(key)["KeyPolicy"]["Statement"]
    return {statement["Sid"]: statement for statement in statements}


def bucket() -> sam.Json:
    return deployed(AnchorRetentionDays=7).properties("AnchorBucket")


def refusals() -> dict[str, sam.Json]:
    policy = deployed().properties("AnchorBucketPolicy")
    assert policy["Bucket"] == "${AnchorBucket}"
    return {statement["Sid"]: statement for statement in policy["PolicyDocument"]["Statement"]}


@pytest.mark.parametrize("key", KEYS)
def test_a_key_is_an_ed25519_key_that_signs(key: str) -> None:
    found = deployed(**BOTH).properties(key)
    assert (found["KeySpec"], found["KeyUsage"]) == ("ECC_NIST_EDWARDS25519", "SIGN_VERIFY")
    assert found["PendingWindowInDays"] == 30, "as long as there is to notice a deletion"


@pytest.mark.parametrize("key", KEYS)
def test_the_audit_alone_signs_and_only_as_the_verifier_expects(key: str) -> None:
    signing = [statement for statement in key_statements(key).values() if "kms:Sign" in json.dumps(statement)]
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


@pytest.mark.parametrize("key", KEYS)
def test_administrators_of_a_key_can_neither_sign_nor_grant_it(key: str) -> None:
    statement = key_statements(key)["AdministratorsDoNotSign"]
    assert {"kms:PutKeyPolicy", "kms:ScheduleKeyDeletion"} <= set(statement["Action"])
    assert not [action for action in statement["Action"] if "*" in action or action in ("kms:Sign", "kms:CreateGrant")]


@pytest.mark.parametrize("key", KEYS)
def test_nobody_else_has_anything_to_do_with_a_key(key: str) -> None:
    """What erases verifies anchors: it asks for the public half, and can't sign."""
    found = [statement["Principal"] for statement in key_statements(key).values()]
    assert found == [ROOT, AUDIT_ROLE, AUDIT_ROLE, ERASE_ROLE]
    assert key_statements(key)["WhatErasesVerifiesAnchors"]["Action"] == "kms:GetPublicKey"
    assert "kms:" not in json.dumps(deployed(**BOTH).of_type("AWS::IAM::Role"))


def test_the_two_keys_differ_in_their_description_alone() -> None:
    """The template writes both out, so that what is changed in one has to be changed in the other."""
    first, second = (deployed(**BOTH).properties(key) | {"Description": ""} for key in KEYS)
    assert first == second


@pytest.mark.parametrize("step", CYCLE)
def test_keys_change_without_a_moment_in_which_none_signs(step: str) -> None:
    exist, sign = CYCLE[step]
    stack = deployed(SigningKeys=step)
    aliases = {alias["TargetKeyId"] for alias in stack.of_type("AWS::KMS::Alias").values()}
    names = ("ChainAuditFunction", "AuditRequestsFunction")
    variables, others = (stack.properties(name)["Environment"]["Variables"] for name in names)
    assert others["EVENTLOG_SIGNING_KEYS"] == variables["EVENTLOG_SIGNING_KEYS"]
    assert stack.of_type("AWS::KMS::Key").keys() - {"AlarmKey"} == exist
    assert aliases == {f"${{{key}}}" for key in exist}
    assert variables["EVENTLOG_SIGNING_KEYS"] == sign
    assert {f"{key}Id" for key in exist} == {name for name in stack.outputs if "SigningKey" in name}


def test_the_steps_of_changing_keys_are_those_that_can_be_chosen() -> None:
    assert sam.source()["Parameters"]["SigningKeys"]["AllowedValues"] == list(CYCLE)


def test_the_bucket_locks_what_it_gets_in_compliance_mode() -> None:
    lock = {"Mode": "COMPLIANCE", "Days": 7}
    assert bucket()["ObjectLockEnabled"] is True
    assert bucket()["ObjectLockConfiguration"] == {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": lock}}
    assert bucket()["VersioningConfiguration"] == {"Status": "Enabled"}


def test_the_bucket_is_private_and_encrypted() -> None:
    assert set(bucket()["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(bucket()["PublicAccessBlockConfiguration"]) == 4
    assert bucket()["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    (rule,) = bucket()["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}


@pytest.mark.parametrize(
    ("sid", "action", "condition"),
    [
        ("OverTlsOnly", "s3:*", {"Bool": {"aws:SecureTransport": "false"}}),
        ("OverNewTlsOnly", "s3:*", {"NumericLessThan": {"s3:TlsVersion": "1.2"}}),
        ("NeverOverwritten", "s3:PutObject", {"Null": {"s3:if-none-match": "true"}}),
        (
            "EncryptedAsTheBucketSays",
            "s3:PutObject",
            {
                "Null": {"s3:x-amz-server-side-encryption": "false"},
                "StringNotEquals": {"s3:x-amz-server-side-encryption": "AES256"},
            },
        ),
        (
            "NoKeysOfCustomers",
            "s3:PutObject",
            {"Null": {"s3:x-amz-server-side-encryption-customer-algorithm": "false"}},
        ),
        ("LockedForGood", "s3:PutObject", {"StringNotEquals": {"s3:object-lock-mode": "COMPLIANCE"}}),
        ("LockedAtAll", "s3:PutObject", {"Null": {"s3:object-lock-remaining-retention-days": "true"}}),
        (
            "LockedLongEnough",
            ["s3:PutObject", "s3:PutObjectRetention"],
            {"NumericLessThan": {"s3:object-lock-remaining-retention-days": 365}},
        ),
        ("NeverHidden", "s3:DeleteObject", None),
    ],
)
def test_the_bucket_refuses_everybody(sid: str, action: str, condition: Any) -> None:
    statement = refusals()[sid]
    assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", action)
    assert OBJECTS in (statement["Resource"], *statement["Resource"])
    assert statement.get("Condition") == condition


def test_the_audit_alone_adds_what_is_no_order_and_what_erases_alone_adds_orders() -> None:
    common = {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject"}
    for sid, where, role in (
        ("TheAuditAloneAdds", {"NotResource": ORDERS}, AUDIT_ROLE["AWS"]),
        ("WhatErasesAloneAddsOrders", {"Resource": ORDERS}, ERASE_ROLE["AWS"]),
    ):
        condition = {"ArnNotEquals": {"aws:PrincipalArn": role}}
        assert refusals()[sid] == {"Sid": sid, **common, **where, "Condition": condition}


@pytest.mark.parametrize("sid", ["OverTlsOnly", "OverNewTlsOnly"])
def test_the_bucket_itself_is_reached_over_tls_only_too(sid: str) -> None:
    assert refusals()[sid]["Resource"] == ["${AnchorBucket.Arn}", OBJECTS]


def test_the_bucket_lets_nobody_in() -> None:
    assert {statement["Effect"] for statement in refusals().values()} == {"Deny"}


def test_the_governance_key_is_as_a_signing_key_but_what_erases_alone_signs_with_it() -> None:
    own, other = (deployed(**ERASING).properties(name) for name in ("GovernanceKey", "SigningKey"))
    assert own | {"KeyPolicy": "", "Description": ""} == other | {"KeyPolicy": "", "Description": ""}
    found = {each["Sid"]: each for each in own["KeyPolicy"]["Statement"]}
    others = {each["Sid"]: each for each in other["KeyPolicy"]["Statement"]}
    assert found == {
        "AdministratorsDoNotSign": others["AdministratorsDoNotSign"],
        "WhatErasesSigns": others["TheAuditSigns"] | {"Sid": "WhatErasesSigns", "Principal": ERASE_ROLE},
        "WhatErasesKnowsItsPublicKey": others["TheAuditKnowsItsPublicKey"]
        | {"Sid": "WhatErasesKnowsItsPublicKey", "Principal": ERASE_ROLE},
    }
    assert deployed(**ERASING).outputs["GovernanceKeyId"]["Value"] == "${GovernanceKey}"


@pytest.mark.parametrize(
    "name", ["SigningKey", "SecondSigningKey", "GovernanceKey", "AnchorBucket", "AnchorBucketPolicy"]
)
def test_evidence_outlives_the_stack(name: str) -> None:
    resource = sam.resources()[name]
    assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("Retain", "Retain")
