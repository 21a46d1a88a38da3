"""Ports for servers that tests start, stop and start again."""

import socket

from local.machine import HOST, free_port


def own_port() -> int:
    """A port that no other test gets, though nobody listens there: while this process lives, its UDP is taken."""
    while True:
        port = free_port()
        kept = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            kept.bind((HOST, port))
        except OSError:
            kept.close()
        else:
            kept.detach()
            return port
