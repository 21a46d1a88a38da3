"""The checks of the template pass on the real one, and fail on a wildcard or a suppression that nobody explained."""

import copy
from pathlib import Path

import pytest

from tools.package_check import suppressions, wildcards
from tools.package_check.build import ROOT
from tools.package_check.template import Json, Template, read

CHECKOV = ROOT / ".venv-checkov/bin/checkov"
REASON = "Nothing narrower is possible in this case."


@pytest.fixture
def real() -> Template:
    return Template(copy.deepcopy(read(ROOT / "template.yaml").written))


def queue(*skips: Json) -> Template:
    """A template with one queue, which checkov wants to be encrypted, and these suppressions."""
    kept = {"Type": "AWS::SQS::Queue", "Metadata": {"checkov": {"skip": list(skips)}}, "Properties": {}}
    return Template({"Transform": "AWS::Serverless-2016-10-31", "Resources": {"Kept": kept}})


def granting(statement: Json, **reasons: str) -> Template:
    """A template whose one function has a statement in its role."""
    function = {
        "Type": "AWS::Serverless::Function",
        "Metadata": {"eventlog": {"wildcards": reasons}},
        "Properties": {
            "Handler": "app.handler",
            "Runtime": "python3.13",
            "CodeUri": "functions/reader",
            "Policies": [{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]}],
        },
    }
    return Template({"Transform": "AWS::Serverless-2016-10-31", "Resources": {"Reader": function}})


def wild(template: Template) -> list[str]:
    basic = {"AWSLambdaBasicExecutionRole": REASON}
    return wildcards.check(template, basic).problems


def test_every_wildcard_of_the_template_has_a_reason_and_every_reason_a_wildcard(real: Template) -> None:
    assert wildcards.check(real).problems == []


def test_a_narrow_statement_needs_no_reason() -> None:
    assert wild(granting({"Action": "s3:GetObject", "Resource": {"Fn::GetAtt": ["Bucket", "Arn"]}})) == []


@pytest.mark.parametrize(
    ("statement", "where"),
    [
        ({"Action": "s3:*", "Resource": "arn:aws:s3:::one"}, "Action"),
        ({"Action": ["s3:GetObject", "s3:Put?bject"], "Resource": "arn:aws:s3:::one"}, "Action"),
        ({"Action": "s3:GetObject", "Resource": "*"}, "Resource"),
        ({"Action": "s3:GetObject", "Resource": [{"Fn::Sub": "${Bucket.Arn}/*"}]}, "Resource"),
        ({"Action": "s3:GetObject", "Resource": {"Fn::If": ["Any", "*", "arn:aws:s3:::one"]}}, "Resource"),
        ({"NotAction": "iam:PassRole", "Resource": "arn:aws:s3:::one"}, "NotAction"),
        ({"Action": "s3:GetObject", "NotResource": "arn:aws:s3:::one"}, "NotResource"),
    ],
)
def test_a_wildcard_needs_a_reason(statement: Json, where: str) -> None:
    (problem,) = wild(granting({"Sid": "Reads", **statement}))
    assert problem.startswith(f"Reader: statement Reads has a wildcard ({where}): narrow it, or say in the resource's")
    assert wild(granting({"Sid": "Reads", **statement}, Reads=REASON)) == []


def test_a_refusal_needs_no_reason_however_wide_it_is() -> None:
    template = granting({"Action": "s3:GetObject", "Resource": "arn:aws:s3:::one"})
    refusal = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"}
    policy = {"PolicyDocument": {"Statement": [refusal]}}
    template.written["Resources"]["Kept"] = {"Type": "AWS::S3::BucketPolicy", "Properties": policy}
    assert wild(template) == []


def test_a_key_s_own_policy_may_call_it_a_star_and_nothing_else() -> None:
    template = granting({"Action": "s3:GetObject", "Resource": "arn:aws:s3:::one"})
    grant = {"Sid": "Signs", "Effect": "Allow", "Principal": {"AWS": "x"}, "Action": "kms:Sign", "Resource": "*"}
    policy = {"KeyPolicy": {"Statement": [grant]}}
    template.written["Resources"]["Key"] = {"Type": "AWS::KMS::Key", "Properties": policy}
    assert wild(template) == []
    grant["Action"] = "kms:*"
    (problem,) = wild(template)
    assert problem.startswith("Key: statement Signs has a wildcard (Action)")


def test_a_reason_that_says_nothing_is_none() -> None:
    assert wild(granting({"Sid": "Reads", "Action": "s3:*", "Resource": "*"}, Reads="needed"))


def test_a_reason_needs_a_statement_with_a_name() -> None:
    (problem,) = wild(granting({"Action": "s3:GetObject", "Resource": "*"}))
    assert (
        problem
        == "A statement of Reader has a wildcard (Resource) and no Sid: narrow it, or give it a Sid and a reason."
    )


def test_a_reason_without_a_wildcard_is_refused() -> None:
    (problem,) = wild(
        granting({"Sid": "Reads", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::one"}, Reads=REASON)
    )
    assert problem == "Nothing needs the reason Reads in the Metadata of Reader any more: remove it."


@pytest.mark.parametrize(
    ("kind", "properties"),
    [
        ("AWS::S3::BucketPolicy", "PolicyDocument"),
        ("AWS::SQS::QueuePolicy", "PolicyDocument"),
        ("AWS::SNS::TopicPolicy", "PolicyDocument"),
        ("AWS::KMS::Key", "KeyPolicy"),
    ],
)
def test_the_policies_of_resources_are_walked_too(kind: str, properties: str) -> None:
    statement = {"Sid": "All", "Effect": "Allow", "Principal": "*", "Action": "x:y", "Resource": "arn:aws:x:::y"}
    template = granting({"Action": "s3:GetObject", "Resource": "arn:aws:s3:::one"})
    template.written["Resources"]["Open"] = {"Type": kind, "Properties": {properties: {"Statement": [statement]}}}
    (problem,) = wild(template)
    assert problem.startswith("Open: statement All has a wildcard (Principal)")


def test_a_function_that_anybody_may_call_is_refused() -> None:
    template = granting({"Action": "s3:GetObject", "Resource": "arn:aws:s3:::one"})
    permission = {"Action": "lambda:InvokeFunction", "FunctionName": {"Ref": "Reader"}, "Principal": "*"}
    template.written["Resources"]["Calls"] = {"Type": "AWS::Lambda::Permission", "Properties": permission}
    (problem,) = wild(template)
    assert problem.startswith("A statement of Calls has a wildcard (Principal)")


def test_a_managed_policy_needs_a_reason_since_its_wildcards_are_out_of_sight() -> None:
    template = granting({"Action": "s3:GetObject", "Resource": "arn:aws:s3:::one"})
    (problem,) = wildcards.check(template, {}).problems
    assert problem.startswith("AWS's policy AWSLambdaBasicExecutionRole has wildcards: grant what is needed instead")


def test_a_managed_policy_of_the_template_is_walked_where_it_stands() -> None:
    template = granting({"Action": "s3:GetObject", "Resource": "arn:aws:s3:::one"})
    arns = [{"Fn::If": ["Any", {"Ref": "Shared"}, {"Ref": "AWS::NoValue"}]}]
    document = {"Statement": [{"Sid": "All", "Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}
    template.written["Resources"] |= {
        "Role": {"Type": "AWS::IAM::Role", "Properties": {"ManagedPolicyArns": arns}},
        "Shared": {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": document}},
    }
    (problem,) = wild(template)
    assert problem.startswith("Shared: statement All has a wildcard (Resource)")
    arns[0]["Fn::If"][1] = "arn:aws:iam::aws:policy/AdministratorAccess"
    assert any(problem.startswith("AWS's policy AdministratorAccess has wildcards") for problem in wild(template))


def test_what_sam_grants_only_with_tracing_is_seen() -> None:
    template = granting({"Action": "s3:GetObject", "Resource": "arn:aws:s3:::one"})
    template.written["Parameters"] = {"Tracing": {"Type": "String", "Default": "Disabled"}}
    template.written["Resources"]["Reader"]["Properties"]["Tracing"] = {"Ref": "Tracing"}
    (problem,) = wild(template)
    assert problem.startswith("AWS's policy AWSXrayWriteOnlyAccess has wildcards")


def test_checkov_finds_nothing_that_is_not_suppressed(real: Template) -> None:
    assert suppressions.check(real, CHECKOV).problems == []


def test_checkov_is_asked_about_everything_that_is_suppressed() -> None:
    skip = {"id": "CKV_AWS_27", "comment": REASON}
    found, verdicts = suppressions.scan(queue(skip), CHECKOV)
    assert ("Kept", "CKV_AWS_27") in found
    assert verdicts >= 1


def test_what_checkov_finds_is_put_right_or_suppressed() -> None:
    (problem,) = suppressions.judge(queue(), {("Kept", "CKV_AWS_27"): "Ensure that it is encrypted"})
    assert problem.startswith("Kept: CKV_AWS_27 (Ensure that it is encrypted): put it right, or say in the resource's")


@pytest.mark.parametrize("skip", [{"id": "CKV_AWS_27"}, {"id": "CKV_AWS_27", "comment": " "}])
def test_a_suppression_without_a_comment_is_refused(skip: Json) -> None:
    (problem,) = suppressions.judge(queue(skip), {("Kept", "CKV_AWS_27"): "Ensure that it is encrypted"})
    assert problem.startswith("Kept: the suppression of CKV_AWS_27 explains nothing")


def test_one_comment_for_two_suppressions_is_refused() -> None:
    skips = [{"id": rule, "comment": REASON} for rule in ("CKV_AWS_27", "CKV_AWS_28")]
    found = {("Kept", str(skip["id"])): "" for skip in skips}
    problems = suppressions.judge(queue(*skips), found)
    assert [problem.partition(" has ")[2] for problem in problems] == [
        "another's comment: say what holds for Kept."
    ] * 2


def test_a_suppression_of_what_checkov_does_not_find_is_refused() -> None:
    (problem,) = suppressions.judge(queue({"id": "CKV_AWS_27", "comment": REASON}), {})
    assert problem == "Kept: checkov does not find CKV_AWS_27: remove the suppression."


@pytest.mark.parametrize("says", ["echo Traceback", "exit 3", """echo '{"passed": 0, "parsing_errors": 0}'"""])
def test_a_checkov_that_has_read_nothing_is_no_pass(tmp_path: Path, says: str) -> None:
    checkov = tmp_path / "checkov"
    checkov.write_text(f"#!/bin/sh\n{says}\n", encoding="utf-8")
    checkov.chmod(0o700)
    with pytest.raises(suppressions.CheckovError):
        suppressions.scan(queue(), checkov)
