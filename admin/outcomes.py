"""What a step of ``make db-setup`` says: a state, and what there is to say about it."""

from typing import Literal

State = Literal["as declared", "created", "changed", "missing", "differs", "refused", "skipped", "extra"]
StepOutcome = tuple[State, str]


def made(*, check: bool) -> StepOutcome:
    """Say that something was not there and has been made, or with ``check`` only that it is missing."""
    return ("missing", "") if check else ("created", "")


def corrected(wrong: list[str], *, check: bool) -> StepOutcome:
    """Say what was wrong and has been put right, or with ``check`` only what is wrong."""
    if not wrong:
        return "as declared", ""
    return ("differs" if check else "changed"), "; ".join(wrong)
