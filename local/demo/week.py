"""`make demo-data`: a week of a small web shop's events, so that the dashboard has something to show.

Shoppers come mostly by day; they order, pay and are sent invoices. A job runs each hour. One night somebody tries
passwords, and in the morning an administrator blocks their address.
"""

import os
import random
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2

from eventlog.console import run as run_command
from eventlog_client.addresses import open_http
from eventlog_client.errors import ClientError
from local.demo.api_client import checked
from local.machine import HOST, LocalError

SampleEvent = dict[str, Any]

DAYS = 7
SEED = 20261123
VISITS = (1, 1, 0, 0, 0, 1, 2, 5, 9, 14, 17, 18, 16, 15, 17, 18, 16, 14, 15, 17, 14, 9, 5, 2)
"""Visits to the shop in each hour of a day, by UTC."""
BATCH = 500
GOODS = {"kettle": 39.9, "desk lamp": 54.0, "notebook": 4.5, "headphones": 129.0, "chair": 210.0, "mug": 9.9}


def week(end: datetime, seed: int = SEED) -> list[SampleEvent]:
    """Return the events of the seven days before ``end``, in order of time; the same for the same seed."""
    chance = random.Random(seed)  # noqa: S311  a story, no secret
    start = end.replace(minute=0, second=0, microsecond=0) - timedelta(days=DAYS)
    hours = [start + timedelta(hours=n) for n in range(24 * DAYS + 1)]
    events = [event for hour in hours for event in _hour(chance, hour)]
    events += _attack(chance, hours[0].replace(hour=2) + timedelta(days=4))
    told = [event for event in events if event["timestamp"] < _text(end)]
    return sorted(told, key=lambda event: str(event["timestamp"]))


def _hour(chance: random.Random, hour: datetime) -> Iterator[SampleEvent]:
    yield _event(hour + timedelta(seconds=5), "stock.counted", "jobs/stock", items=chance.randrange(4000, 4200))
    usual = VISITS[hour.hour] * (0.7 if hour.weekday() >= 5 else 1)
    for _ in range(round(usual * chance.uniform(0.7, 1.3))):
        yield from _visit(chance, hour + timedelta(seconds=chance.uniform(0, 3300)))


def _visit(chance: random.Random, moment: datetime) -> Iterator[SampleEvent]:
    """Yield the events of a shopper, who signs in and buys something about half of the time."""
    user, web = f"u-{chance.randrange(1000, 1400)}", f"shop/web-{chance.randrange(1, 4)}"
    address = f"198.51.100.{chance.randrange(1, 255)}"  # RFC 5737: for examples
    if chance.random() < 0.08:
        yield _event(moment - timedelta(seconds=9), "user.login_failed", web, user=user, ip=address)
    yield _event(moment, "user.login", web, user=user, ip=address)
    if chance.random() < 0.5:
        yield from _order(chance, moment + timedelta(seconds=chance.uniform(60, 240)), user, web)
    if chance.random() < 0.6:
        yield _event(moment + timedelta(seconds=chance.uniform(250, 290)), "user.logout", web, user=user)


def _order(chance: random.Random, moment: datetime, user: str, web: str) -> Iterator[SampleEvent]:
    order = f"o-{chance.randrange(10**6):06}"
    basket = {name: chance.randrange(1, 4) for name in chance.sample(sorted(GOODS), 2)}
    total = round(sum(GOODS[name] * count for name, count in basket.items()), 2)
    yield _event(moment, "order.placed", web, user=user, order=order, items=basket, total=total)
    if chance.random() < 0.05:
        yield _event(moment + timedelta(seconds=3), "payment.refused", "billing", order=order, reason="card expired")
        return
    yield _event(
        moment + timedelta(seconds=3), "payment.captured", "billing", order=order, amount=total, currency="EUR"
    )
    yield _event(moment + timedelta(seconds=8), "invoice.sent", "billing", order=order, to=f"{user}@example.com")


def _attack(chance: random.Random, night: datetime) -> Iterator[SampleEvent]:
    """Yield the events of ten minutes of password guessing, and of an administrator's answer in the morning."""
    for n in range(240):
        moment = night + timedelta(minutes=11, seconds=2.4 * n + chance.uniform(0, 2))
        victim = f"u-{chance.randrange(1000, 1400)}"
        yield _event(moment, "user.login_failed", "shop/web-2", user=victim, ip="203.0.113.77")
    yield _event(night + timedelta(minutes=22), "address.blocked", "shop/web-2", ip="203.0.113.77", by="rate limit")
    morning = night + timedelta(hours=5, minutes=40)
    yield _event(morning, "admin.login", "admin", user="a-7", mfa=True)
    yield _event(morning + timedelta(minutes=9), "admin.rule_changed", "admin", user="a-7", rule="block 203.0.113.0/24")


def _event(moment: datetime, kind: str, source: str, **payload: Any) -> SampleEvent:
    return {"event_type": kind, "source_id": source, "timestamp": _text(moment), "payload": payload}


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"


def send(url: str, token: str | None, events: list[SampleEvent]) -> None:
    """Log events in their order, and have them audited.

    Raises:
        LocalError: no log answers there, it refuses them, or the token can't be sent there.
    """
    try:
        with open_http(f"{url}/api/v1", token, 60, None) as http:
            for start in range(0, len(events), BATCH):
                checked(http.post("/events/batch", json=events[start : start + BATCH]))
            checked(http.post("/audits", json={"mode": "full"}))
    except httpx2.TransportError as error:
        raise LocalError(f"No log answers at {url}: start it with `make run` in another terminal first.") from error
    except ClientError as error:  # no URL, or a token that would go over plain http
        raise LocalError(f"{str(error)[0].upper()}{str(error)[1:]}.") from error


def main() -> int:
    """Return the exit code: 0 the events are logged, 1 something prevented it."""
    url = os.environ.get("EVENTLOG_URL") or f"http://{HOST}:{os.environ.get('PORT') or 8000}"
    events = week(datetime.now(UTC))
    try:
        send(url.rstrip("/"), os.environ.get("EVENTLOG_TOKEN"), events)
    except LocalError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"Logged {len(events)} events of a week. Look at them: {url}")
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
