"""What is built is what is deployed: one processor for both, tags on everything, and a reason for each exception."""

import tomllib
from pathlib import Path

import pytest

from tests.infrastructure import sam
from tests.infrastructure.stack import deployed

TAG = ("service", "event-log")
ARCHITECTURES = ["x86_64", "arm64"]
MACHINES = {"x86_64": 62, "arm64": 183}
"""e_machine of an ELF file: EM_X86_64, EM_AARCH64."""


def config() -> sam.Json:
    found: sam.Json = tomllib.loads((sam.ROOT / "samconfig.toml").read_text(encoding="utf-8"))["default"]
    return found


def takes_tags(kind: str) -> bool:
    # Imported here: it takes seconds, and every process collects every file.
    from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER  # type: ignore[import-untyped]

    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("eu-central-1", kind).schema
    return bool(schema["tagging"]["taggable"]) if "tagging" in schema else "Tags" in schema["properties"]


def machines(built: Path) -> set[int]:
    """What the native code in a build is for."""
    found = [path.read_bytes()[18:20] for path in built.rglob("*.so")]
    assert len(found) >= 5
    return {int.from_bytes(machine, "little") for machine in found}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_layer_and_functions_are_for_the_processor_of_the_parameter(architecture: str) -> None:
    stack = deployed(Architecture=architecture)
    (layer,) = stack.of_type("AWS::Lambda::LayerVersion").values()
    assert layer["CompatibleArchitectures"] == [architecture]
    for function in stack.of_type("AWS::Lambda::Function").values():
        assert function["Architectures"] == [architecture]


def test_sam_build_compiles_for_the_processor_of_the_parameter(lambda_build: Path, tmp_path: Path) -> None:
    assert machines(lambda_build) == {MACHINES["x86_64"]}, "of samconfig.toml"
    built = sam.build("lambda", tmp_path, "EventLogLayer", "--parameter-overrides", "Architecture=arm64")
    assert machines(built) == {MACHINES["arm64"]}


def test_there_is_a_processor_for_every_choice() -> None:
    assert sam.source()["Parameters"]["Architecture"]["AllowedValues"] == ARCHITECTURES


def test_build_and_deployment_agree_on_parameters() -> None:
    assert config()["global"]["parameters"]["parameter_overrides"] == ["Architecture=x86_64"]
    assert not [name for name, found in config().items() if name != "global" and "parameter_overrides" in str(found)]


def test_everything_that_takes_tags_has_one() -> None:
    untagged = []
    for name, resource in sam.resources().items():
        tags = resource["Properties"].get("Tags", [])
        pairs = tags.items() if isinstance(tags, dict) else [(tag["Key"], tag["Value"]) for tag in tags]
        if takes_tags(resource["Type"]) and TAG not in pairs:
            untagged.append(name)
    assert not untagged


def test_the_stack_has_the_same_tag() -> None:
    assert config()["deploy"]["parameters"]["tags"] == "=".join(TAG)


def test_the_deployment_may_do_what_the_template_needs() -> None:
    assert sam.source()["Transform"] == ["AWS::LanguageExtensions", "AWS::Serverless-2016-10-31"], "in this order"
    assert config()["deploy"]["parameters"]["capabilities"].split() == ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]


def test_every_exception_from_a_check_has_a_reason() -> None:
    skipped = [
        skip
        for resource in sam.source()["Resources"].values()
        for skip in resource.get("Metadata", {}).get("checkov", {}).get("skip", [])
    ]
    assert skipped
    for skip in skipped:
        assert skip["id"].startswith("CKV_")
        assert len(skip["comment"].split()) >= 6, skip


def test_operators_are_told_where_everything_is() -> None:
    outputs = deployed().outputs
    assert outputs.keys() == {
        *("ApiUrl", "InvokeArn", "SigningKeyId", "AnchorBucketName", "AuditFunctionArn", "IngestQueueUrl"),
        *("DeadLetterQueueUrl", "AlarmTopicArn", "MetricsUrl", "AccessLogGroupName"),
    }
    assert outputs["AuditFunctionArn"]["Value"] == "${ChainAuditFunctionAliaslive}"
    assert all(output["Description"] for output in outputs.values())


def test_viewers_are_told_where_the_dashboard_is_if_there_is_one() -> None:
    found = deployed(JwtIssuer="https://id.example.com", JwtAudience="one", DashboardClientId="one").outputs
    assert found["DashboardUrl"]["Value"] == "${HttpApi.ApiEndpoint}/"
