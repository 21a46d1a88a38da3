"""checkov's rules for CloudFormation: what they find is put right, or suppressed with a comment of its own.

A suppression stands in the template, in the form that checkov itself reads:

    Metadata:
      checkov:
        skip:
          - id: CKV_AWS_18
            comment: <why this rule is not for this resource>

checkov takes any suppression, so it is run without them here, and what it finds is compared with what is suppressed. It
sees the template as CloudFormation gets it, with the roles that SAM generates, and what SAM alters as it is written.
"""

import copy
import json
import os
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from tools.package_check.result import Result, explains
from tools.package_check.template import Json, Template

Found = dict[tuple[str, str], str]


class CheckovError(Exception):
    """checkov is not there or did not do what was asked; the text says what to do, or what it said."""


def check(template: Template, checkov: Path) -> Result:
    """``checkov`` is the executable. Raises: CheckovError."""
    found, verdicts = scan(template, checkov)
    figures = f"{verdicts} verdicts, {len(found)} against, {len(suppressions(template))} suppressed"
    return Result("checkov", figures, judge(template, found))


def judge(template: Template, found: Found) -> list[str]:
    """Hold what checkov found, its titles by resource and rule, against what the template suppresses."""
    declared = suppressions(template)
    problems = [_failed(*place, title) for place, title in found.items() if place not in declared]
    unused = declared.keys() - found.keys()
    problems += [f"{name}: checkov does not find {rule}: remove the suppression." for name, rule in unused]
    problems += [_unclear(*place, comment, declared) for place, comment in declared.items()]
    return sorted(filter(None, problems))


def suppressions(template: Template) -> Found:
    """Read the comment of each suppression, by resource and rule."""
    declared = {}
    for name, section in template.metadata("checkov"):
        for skip in section.get("skip", ()):
            declared[name, str(skip["id"])] = str(skip.get("comment") or "").strip()
    return declared


def scan(template: Template, checkov: Path) -> tuple[Found, int]:
    """Run checkov without any suppression: its findings by written resource and rule, and how many verdicts it gave."""
    with TemporaryDirectory(prefix="eventlog-checkov-") as folder:
        written, transformed = _bare(template.written), _bare(template.transformed)
        # Most resources SAM leaves as they are: twice in checkov's graph, they would cost its run a quarter more.
        kept = transformed["Resources"]
        written["Resources"] = {name: it for name, it in written["Resources"].items() if kept.get(name) != it}
        files = []
        for name, content in (("written", written), ("transformed", transformed)):
            files.append(Path(folder, f"{name}.json"))
            files[-1].write_text(json.dumps(content, default=str), encoding="utf-8")
        report = _run(checkov, files)
    summary = report["summary"]
    if summary["parsing_errors"] or not summary.get("resource_count"):
        raise CheckovError(f"checkov could not read the template: {summary}")
    failed = report["results"]["failed_checks"]
    found = {(template.origin(it["resource"].rpartition(".")[2]), it["check_id"]): it["check_name"] for it in failed}
    return found, summary["passed"] + summary["failed"]


def _bare(content: Json) -> Json:
    """Copy a template without its suppressions."""
    bare = copy.deepcopy(content)
    for resource in bare["Resources"].values():
        resource.get("Metadata", {}).pop("checkov", None)
    return bare


def _run(checkov: Path, files: list[Path]) -> Json:
    options = ["--framework", "cloudformation", "--skip-download", "--soft-fail", "--compact", "--output", "json"]
    named = [argument for path in files for argument in ("--file", str(path))]
    environment = {"PATH": os.environ["PATH"], "HOME": str(files[0].parent), "LOG_LEVEL": "ERROR"}
    if not checkov.exists():
        raise CheckovError(f"There is no {checkov}: `make package-check` installs it.")
    done = subprocess.run(
        [checkov, *options, *named],
        cwd=files[0].parent,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    if done.returncode != 0 or not done.stdout.lstrip().startswith("{"):
        raise CheckovError(f"checkov ended with {done.returncode}: {done.stderr.strip() or done.stdout.strip()}")
    report: Json = json.loads(done.stdout)
    return report if "results" in report else {"summary": report, "results": {"failed_checks": []}}


def _failed(name: str, rule: str, title: str) -> str:
    return (
        f"{name}: {rule} ({title}): put it right, or say in the resource's Metadata under checkov, skip why this rule "
        "is not for it."
    )


def _unclear(name: str, rule: str, comment: str, declared: Found) -> str:
    """Say what is wrong with a suppression's comment; empty if nothing is."""
    if not explains(comment):
        return f"{name}: the suppression of {rule} explains nothing: say in its comment why the rule is not for {name}."
    if list(declared.values()).count(comment) > 1:
        return f"{name}: the suppression of {rule} has another's comment: say what holds for {name}."
    return ""
