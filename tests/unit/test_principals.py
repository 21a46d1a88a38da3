"""Whom limits count a caller as: nobody has a new limit for a name that it chooses itself."""

from eventlog.principals import counted_as
from tests.support.each import each

STS = "arn:aws:sts::123456789012:"
CASES = [
    ("shop", "shop"),
    ("", ""),
    ("arn:aws:iam::123456789012:user/shop", "arn:aws:iam::123456789012:user/shop"),
    (f"{STS}assumed-role/orders/session", f"{STS}assumed-role/orders"),
    (f"{STS}assumed-role/orders/other/session", f"{STS}assumed-role/orders"),
    (f"{STS}assumed-role/orders/line\nbreak", f"{STS}assumed-role/orders"),
    ("arn:aws-cn:sts::123456789012:assumed-role/orders/s", "arn:aws-cn:sts::123456789012:assumed-role/orders"),
    (f"{STS}federated-user/anybody", f"{STS}federated-user"),
    (f"x{STS}assumed-role/orders/session", f"x{STS}assumed-role/orders/session"),
    (f"{STS}assumed-role/orders", f"{STS}assumed-role/orders"),
]


@each("principal, counted", CASES)
def test_all_sessions_of_a_role_count_as_the_role_and_everybody_else_as_itself(principal: str, counted: str) -> None:
    assert counted_as(principal) == counted
