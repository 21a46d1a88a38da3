"""The append and settle protocol keeps its promises in thousands of random runs, and no rule of it can be spared."""

import re
from collections.abc import Iterable

import pytest

from tests.model.invariants import History, ViolationError, log_of
from tests.model.replica_set import Sequence, State
from tests.model.requests import Rule
from tests.model.walk import Rates, Walk, play

RUNS = 1000
ENOUGH = 5000


def play_many(seeds: Iterable[int], off: Iterable[Rule] = ()) -> None:
    for seed in seeds:
        play(seed, off)


@pytest.mark.parametrize("first", range(0, 10 * RUNS, RUNS))
def test_no_run_breaks_a_promise(first: int) -> None:
    play_many(range(first, first + RUNS))


@pytest.mark.parametrize("rule", Rule, ids=lambda rule: rule.name.lower())
def test_without_any_one_rule_some_run_breaks_a_promise(rule: Rule) -> None:
    with pytest.raises(ViolationError):
        play_many(range(ENOUGH), [rule])


def test_a_failing_run_tells_its_seed_and_every_step() -> None:
    with pytest.raises(ViolationError) as caught:
        play_many(range(ENOUGH), [Rule.PUSH_UNLESS_PENDING])
    head, *steps = str(caught.value).splitlines()
    assert re.fullmatch(r"seed \d+: an id is in the log twice: .*", head)
    assert any("push" in step for step in steps)


def test_a_seed_always_gives_the_same_run() -> None:
    traces: list[list[str]] = [[], []]
    for trace in traces:
        Walk(11, trace=trace).run()
    assert traces[0] == traces[1]


@pytest.mark.parametrize(
    "step",
    [
        r"failover +loses [2-9]",
        r"push \w+ bound None lands late: applied",
        r"push [\w+]+ bound \d+ lands late: applied",
        r"push [\w+]+ bound \d+ lands late: refused",
        r"insert .* lands late: applied",
        r"trim .* lands late: applied",
        r"trim .* lands late: refused",
        r"push .* applied, the reply is lost",
        r"push .* -> error \(",
        r"push \w+ bound None -> open",
        r"push .* bound \d+ -> refused",
        r"insert .* -> refused",
        r"trim .* -> refused",
        r"writer\d-yxz +push y\+z bound",
        r"settler\d +crashes",
        r"reader .* read events .* -> ok",
    ],
)
def test_the_runs_come_by_every_kind_of_trouble(step: str) -> None:
    for seed in range(ENOUGH):
        trace: list[str] = []
        Walk(seed, trace=trace).run()
        if any(re.search(step, line) for line in trace):
            return
    pytest.fail(f"no run has a step like {step}")


def test_without_failures_every_append_gets_a_receipt() -> None:
    for seed in range(300):
        walk = Walk(seed, rates=Rates(replicate=0.5), sweeps=False)  # a sweep refuses writers whose clocks are behind
        names = [name for name, _ in walk.to_start]
        walk.run()
        asked = {event_id for name in names if name.startswith("writer") for event_id in name.split("-")[1]}
        made = {f"m{name.removeprefix('maker')}" for name in names if name.startswith("maker")}
        assert set(walk.history.receipts) == asked | made


@pytest.mark.parametrize(
    ("state", "complaint"),
    [
        (State(Sequence(2, 1, ()), {0: "x"}), "make no size of 2"),
        (State(Sequence(1, 1, ()), {}), "trimmed and is not in events"),
        (State(Sequence(2, 1, ("x",)), {0: "x"}), "twice"),
        (State(Sequence(1, 0, ("x",)), {0: "y"}), "which the log"),
        (State(Sequence(0, 0, ()), {0: "x"}), "which the log"),
    ],
)
def test_a_log_with_a_gap_a_repeat_or_a_stranger_is_noticed(state: State, complaint: str) -> None:
    with pytest.raises(ViolationError, match=complaint):
        log_of(state)


def test_a_receipt_must_not_change() -> None:
    history = History()
    history.acknowledge("x", 0)
    with pytest.raises(ViolationError, match="x has receipts for 0 and 1"):
        history.acknowledge("x", 1)


def test_an_event_that_was_acknowledged_or_shown_must_be_there_in_the_end() -> None:
    history = History()
    history.acknowledge("x", 0)
    history.check(State(Sequence(), {}))
    with pytest.raises(ViolationError, match="lost"):
        history.check(State(Sequence(), {}), final=True)


def test_what_a_reader_saw_must_stay_as_it_is() -> None:
    history = History()
    history.show(1, {0: "x"})
    with pytest.raises(ViolationError, match="saw x and then y"):
        history.show(1, {0: "y"})
    with pytest.raises(ViolationError, match="misses seq 1"):
        history.show(2, {0: "x"})
