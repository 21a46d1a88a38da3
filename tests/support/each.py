"""Loops inside one test: what differs by a size, a bit or a place alone is one test, and a failure names its case."""

import inspect
from collections.abc import Callable, Iterable
from functools import wraps

Test = Callable[..., None]


def each(names: str, values: Iterable[object]) -> Callable[[Test], Test]:
    """Run a test once for every value, like ``pytest.mark.parametrize`` but within one test.

    Several names, separated by commas, take their values from tuples. Stacked, every value of the one meets every value
    of the other. Fixtures are shared by all rounds, so the test must leave them as they were.
    """
    split = [name.strip() for name in names.split(",")]
    rounds = [value if len(split) > 1 else (value,) for value in values]
    assert rounds, f"no value for {names}"

    def decorate(test: Test) -> Test:
        @wraps(test)
        def run(**fixtures: object) -> None:
            for found in rounds:
                case = dict(zip(split, found, strict=True))  # type: ignore[call-overload]
                try:
                    test(**fixtures, **case)
                except BaseException as error:
                    error.add_note(", ".join(f"{name} = {value!r:.200}" for name, value in case.items()))
                    raise

        signature = inspect.signature(test)
        kept = [parameter for name, parameter in signature.parameters.items() if name not in split]
        run.__signature__ = signature.replace(parameters=kept)  # type: ignore[attr-defined]
        return run

    return decorate
