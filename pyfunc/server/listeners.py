"""Listening sockets: opened before anything else starts, and closed with nobody left in the queue.

What the kernel has accepted for the process is reset when the socket closes, though its client may
have sent a request. So the queue is emptied first; what is taken from it is served like the rest.
"""

import asyncio
import errno
import logging
import socket
from collections.abc import Callable, Iterator, Sequence

from pyfunc.errors import ListenError
from pyfunc.settings import Address

__all__ = ["Listeners", "listen", "shown"]

logger = logging.getLogger("pyfunc")

_BACKLOG = 1024
_TRIES = 20


def listen(addresses: Sequence[Address]) -> list[socket.socket]:
    """One socket for each address; two, IPv4 and IPv6, for every interface.

    Args:
        addresses: Where to listen; port 0 takes a free one.

    Raises:
        ListenError: An address is taken, not allowed or not of this machine.
    """
    sockets: list[socket.socket] = []
    try:
        for address in addresses:
            sockets += _open(address, addresses)
    except (OSError, UnicodeError) as error:  # a name that no DNS label can hold
        for opened in sockets:
            opened.close()
        raise ListenError(_reason(address, error)) from None
    return sockets


def shown(sock: socket.socket) -> str:
    """The address of a socket, as a URL."""
    host, port, *_ = sock.getsockname()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class Listeners:
    """What accepts connections, on several sockets.

    Args:
        protocol: Makes a protocol for a new connection.
    """

    def __init__(self, protocol: Callable[[], asyncio.Protocol]) -> None:
        self._protocol = protocol
        self._open: list[tuple[socket.socket, asyncio.Server]] = []

    async def open(self, sock: socket.socket) -> None:
        """Accept connections on a socket."""
        loop = asyncio.get_running_loop()
        self._open.append(
            (sock, await loop.create_server(self._protocol, sock=sock, backlog=_BACKLOG))
        )

    async def close(self) -> None:
        """Accept what waits in the queues, and close the sockets."""
        waiting: list[socket.socket] = []
        for sock, server in self._open:
            waiting += _accepted(sock)
            server.close()
        self._open.clear()
        for connection in waiting:
            try:
                connection.setblocking(False)
                loop = asyncio.get_running_loop()
                await loop.connect_accepted_socket(self._protocol, connection)
            except OSError:  # the client is gone
                connection.close()


def _accepted(sock: socket.socket) -> Iterator[socket.socket]:
    """Accept all that waits."""
    for _ in range(2 * _BACKLOG):  # there is no end where clients are quicker than this
        try:
            yield sock.accept()[0]
        except ConnectionAbortedError:
            continue
        except OSError:  # there are no more, or no more files
            return


def _open(address: Address, addresses: Sequence[Address]) -> list[socket.socket]:
    if address.host is None or (address.host == "::" and not _has_ipv4(address.port, addresses)):
        return _every_interface(address.port)
    # As bytes it is taken as it is; for a text Python imports a codec for names that are not ASCII.
    host = address.host.encode() if address.host.isascii() else address.host
    found = socket.getaddrinfo(host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, _, _, _, where = found[0]
    return [_bind(family, (str(where[0]), address.port))]


def _has_ipv4(port: int, addresses: Sequence[Address]) -> bool:
    return any(other.host == "0.0.0.0" and other.port == port for other in addresses)


def _every_interface(port: int) -> list[socket.socket]:
    """IPv4 and IPv6 on the same port; IPv4 alone where the kernel has no IPv6."""
    for attempt in range(_TRIES):
        four = _bind(socket.AF_INET, ("0.0.0.0", port))
        try:
            return [four, _bind(socket.AF_INET6, ("::", four.getsockname()[1]))]
        except OSError as error:
            if error.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
                return [four]
            four.close()
            # A free port of one family may be taken in the other: try another one.
            if port or error.errno != errno.EADDRINUSE or attempt == _TRIES - 1:
                raise
    raise AssertionError("unreachable")


def _bind(family: int, where: tuple[str, int]) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(where)
        sock.listen(_BACKLOG)
    except BaseException:
        sock.close()
        raise
    sock.setblocking(False)
    return sock


def _reason(address: Address, error: OSError | UnicodeError) -> str:
    number = getattr(error, "errno", None)
    if number == errno.EADDRINUSE:
        return (
            f"{address} is taken by another program: stop it,"
            " or choose another port with --port or PORT (0 takes a free one)"
        )
    if number == errno.EACCES:
        return f"{address} may not be listened on by this user: choose a port from 1024 up"
    reason = getattr(error, "strerror", None) or "it is no name of a host"
    return f"{address} cannot be listened on ({reason}): choose another --host or --port"
