"""One function under AWS's Runtime Interface Emulator: what happens when it fails, dies or says too much."""

import os
import platform
import signal
import sys
from collections.abc import Iterator

import pytest

from local.machine import LocalError, wait_until
from local.start_api.build import emulator, link_image
from local.start_api.functions import Function, FunctionError, Instance, Runtime

APP = """
import json, os, time

def handler(event, context):
    match event:
        case {"raise": text}: raise ValueError(text)
        case {"exit": code}: os._exit(code)
        case {"sleep": seconds}: time.sleep(seconds)
        case {"size": size}: return "x" * size
    return [os.getpid(), context.function_name, os.environ.get("GIVEN")]
"""


@pytest.fixture(scope="module")
def shared_runtime(tmp_path_factory: pytest.TempPathFactory) -> Runtime:
    folder = tmp_path_factory.mktemp("shared_runtime")
    (folder / "app.py").write_text(APP)
    return Runtime(emulator(), (link_image(folder),), folder)


@pytest.fixture(scope="module")
def instance(shared_runtime: Runtime) -> Iterator[Instance]:
    variables = {"GIVEN": "1", "AWS_LAMBDA_FUNCTION_NAME": "f", "AWS_LAMBDA_FUNCTION_TIMEOUT": "5"}
    running = Instance(Function("f", shared_runtime.logs, "app.handler", 5, variables), shared_runtime, 1)
    running.start()
    yield running
    running.stop()
    assert not running.is_alive()


def runtime(instance: Instance) -> int:
    pid, name, given = eval(instance.invoke(b"{}"))
    assert (name, given) == ("f", "1")
    return int(pid)


def test_a_warm_function_is_the_same_process(instance: Instance) -> None:
    assert runtime(instance) == runtime(instance)


@pytest.mark.parametrize(
    ("payload", "error"),
    [
        (b'{"raise": "no"}', "ValueError"),
        (b'{"exit": 3}', "Runtime.ExitError"),
        (b'{"sleep": 30}', "Task timed out after 5.00 seconds"),
        (b'{"size": 7000000}', "Function.ResponseSizeTooLarge"),
    ],
)
def test_a_failure_is_told_and_the_next_request_works(instance: Instance, payload: bytes, error: str) -> None:
    with pytest.raises(FunctionError, match=error):
        instance.invoke(payload)
    assert instance.is_alive()
    assert runtime(instance)


def test_a_function_that_dies_between_requests_is_started_anew(instance: Instance, shared_runtime: Runtime) -> None:
    before = runtime(instance)
    os.kill(before, signal.SIGKILL)
    log = shared_runtime.logs / "f-1.log"
    wait_until("its end", lambda: "signal: killed" in log.read_text())
    try:
        after = runtime(instance)
    except FunctionError:  # the emulator may tell of the death first, as Lambda does
        after = runtime(instance)
    assert after != before


def test_nothing_but_the_image_and_the_code_can_be_imported(shared_runtime: Runtime) -> None:
    (image,) = shared_runtime.path
    names = {path.name for path in image.iterdir()}
    assert {"awslambdaric", "boto3", "botocore"} <= names
    assert names & {"eventlog", "fastapi", "pymongo", "moto", "pytest"} == set()


@pytest.mark.parametrize(("system", "machine"), [("darwin", "arm64"), ("win32", "AMD64"), ("linux", "riscv64")])
def test_elsewhere_a_sentence_says_what_it_takes(monkeypatch: pytest.MonkeyPatch, system: str, machine: str) -> None:
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    with pytest.raises(LocalError, match="Linux on x86-64 or arm64"):
        emulator()
