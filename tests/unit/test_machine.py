"""What the development server asks of the machine."""

import asyncio
import socket

from local.machine import bind
from tests.coroutines import run


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
