"""``eventlog policy check``: what a policy withstands, in words and as JSON."""

import json
from pathlib import Path

from eventlog_client.cli import main
from tests.support.processes import run_here
from tests.support.witnesses import ed25519, policy


def test_a_policy_that_is_not_there_is_no_wrong_usage(tmp_path: Path) -> None:
    done = run_here(tmp_path, main, "policy", "check", "nowhere")
    assert (done.returncode, done.stderr) == (1, "eventlog: nowhere: No such file or directory.\n")


def test_policy_check_says_what_a_policy_withstands(tmp_path: Path) -> None:
    three = policy("orgs", *(ed25519(f"w.example/{n}", n + 1) for n in range(3)), needed="2")
    (tmp_path / "policy").write_bytes(three)
    done = run_here(tmp_path, main, "policy", "check", "policy")
    assert done.stdout.splitlines() == [
        "Logs: none (give --key). Witnesses: 3. Groups: 1.",
        "Quorum orgs: 2 of 3 (w0, w1, w2).",
        "Malicious witnesses it withstands: 0.",
        "Unreachable witnesses it withstands: 1.",
    ]
    found = json.loads(run_here(tmp_path, main, "--json", "policy", "check", "policy").stdout)
    assert found["withstands"] == {"malicious": 0, "unreachable": 1}
    (tmp_path / "policy").write_bytes(three.replace(b"orgs 2", b"orgs any"))
    assert "not even honest ones suffice" in run_here(tmp_path, main, "policy", "check", "policy").stdout
    (tmp_path / "policy").write_bytes(b"quorum none\n")
    assert "It asks for no witness" in run_here(tmp_path, main, "policy", "check", "policy").stdout
