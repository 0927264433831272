import random
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from pyfunc.errors import ListenError
from pyfunc.server.listeners import listen, shown
from pyfunc.settings import Address


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")


@contextmanager
def listening(*addresses: Address) -> Iterator[list[socket.socket]]:
    sockets = listen(addresses)
    try:
        yield sockets
    finally:
        for sock in sockets:
            sock.close()


def free_port() -> int:
    """A free port that the kernel gives to no client: one might have it when it is asked for."""
    for port in random.sample(range(20_000, 30_000), 100):
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise AssertionError("no free port between 20000 and 30000")


def port_of(sock: socket.socket) -> int:
    return int(sock.getsockname()[1])


def refused(*addresses: Address) -> str:
    with pytest.raises(ListenError) as caught:
        listen(addresses)
    return str(caught.value)


def test_one_address_is_one_socket_on_a_free_port() -> None:
    with listening(Address("127.0.0.1", 0)) as (sock,):
        assert port_of(sock) > 0
        assert shown(sock) == f"http://127.0.0.1:{port_of(sock)}"
        socket.create_connection(sock.getsockname(), timeout=5).close()


@needs_ipv6
def test_every_interface_is_ipv4_and_ipv6_on_one_port() -> None:
    with listening(Address(None, 0)) as (four, six):
        assert port_of(four) == port_of(six)
        for host in ("127.0.0.1", "::1"):
            socket.create_connection((host, port_of(four)), timeout=5).close()
        assert shown(six) == f"http://[::]:{port_of(six)}"


@needs_ipv6
def test_any_address_of_ipv6_takes_ipv4_too_as_go_does() -> None:
    with listening(Address("::", 0)) as sockets:
        socket.create_connection(("127.0.0.1", port_of(sockets[0])), timeout=5).close()


@needs_ipv6
def test_both_families_may_be_named_with_one_port() -> None:
    port = free_port()
    with listening(Address("::", port), Address("0.0.0.0", port)) as sockets:
        assert {sock.family for sock in sockets} == {socket.AF_INET, socket.AF_INET6}


def test_host_may_be_a_name() -> None:
    with listening(Address("localhost", 0)) as (sock,):
        assert sock.getsockname()[0] in ("127.0.0.1", "::1")


def test_port_that_is_taken_is_told_with_the_remedy() -> None:
    with listening(Address("127.0.0.1", 0)) as (sock,):
        port = port_of(sock)

        assert refused(Address("127.0.0.1", port)) == (
            f"127.0.0.1:{port} is taken by another program: stop it,"
            " or choose another port with --port or PORT (0 takes a free one)"
        )


def test_port_that_is_taken_on_one_interface_is_taken_for_all() -> None:
    with listening(Address("127.0.0.1", 0)) as (sock,):
        assert f"*:{port_of(sock)} is taken by another program" in refused(
            Address(None, port_of(sock))
        )


def test_nothing_stays_open_when_one_address_is_refused() -> None:
    port = free_port()
    with listening(Address("127.0.0.1", 0)) as (taken,):
        refused(Address("127.0.0.1", port), Address("127.0.0.1", port_of(taken)))

    with listening(Address("127.0.0.1", port)) as (sock,):
        assert port_of(sock) == port


def test_address_of_another_machine_is_told() -> None:
    assert refused(Address("192.0.2.1", 0)) == (
        "192.0.2.1:0 cannot be listened on (Cannot assign requested address):"
        " choose another --host or --port"
    )


@pytest.mark.parametrize("host", ["::zz", "a" * 300, "."])
def test_what_is_no_host_is_told(host: str) -> None:
    message = refused(Address(host, 0))

    assert message.endswith("choose another --host or --port")
    assert "Errno" not in message


def test_port_can_be_taken_again_at_once() -> None:
    port = free_port()
    with (
        listening(Address("127.0.0.1", port)) as (sock,),
        socket.create_connection(("127.0.0.1", port), timeout=5),
    ):
        sock.accept()[0].close()  # the side that closes first keeps the port busy for a while

    with listening(Address("127.0.0.1", port)):
        pass
