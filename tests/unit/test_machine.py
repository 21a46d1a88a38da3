"""What the development server asks of the machine."""

import asyncio
import socket

import pytest

from local.machine import bind, free_port, is_loopback, url_of
from tests.support.coroutines import run


def test_answers_go_out_at_once_on_a_socket_bound_before_the_server_started() -> None:
    async def accepted_with_no_delay() -> bool:
        found: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            accepted = writer.get_extra_info("socket")
            found.set_result(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        bound = bind(0)
        async with await asyncio.start_server(accept, sock=bound):
            _, writer = await asyncio.open_connection(*bound.getsockname())
            switched_on = bool(await found)
            writer.close()
            await writer.wait_closed()
            return switched_on

    assert run(accepted_with_no_delay())


def test_a_free_port_is_none_that_the_system_gives_to_whoever_asks_for_any() -> None:
    with bind(0) as bound:
        first = bound.getsockname()[1]
    assert all(20_000 <= free_port() < 27_000 <= first for _ in range(20))


@pytest.mark.parametrize(("host", "only_here"), [("127.0.0.1", True), ("127.1.2.3", True), ("0.0.0.0", False)])
def test_an_address_is_for_this_machine_alone_or_not(host: str, only_here: bool) -> None:
    with bind(0, host) as bound:
        assert is_loopback(bound) is only_here
        assert url_of(bound) == f"http://{host}:{bound.getsockname()[1]}"


@pytest.mark.parametrize(
    ("address", "only_here", "url"),
    [
        ("::1", True, "http://[::1]:8000"),
        ("::", False, "http://[::]:8000"),
        ("fe80::1%lo", False, "http://[fe80::1%lo]:8000"),
    ],
)
def test_so_is_an_address_of_version_6(address: str, only_here: bool, url: str) -> None:
    class Bound(socket.socket):
        """A socket on a machine with IPv6."""

        def getsockname(self) -> tuple[str, int, int, int]:
            return (address, 8000, 0, 0)

    with Bound() as bound:
        assert (is_loopback(bound), url_of(bound)) == (only_here, url)
