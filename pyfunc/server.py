"""From an app to an exit code: runner, sites, signals, drain."""

import asyncio
import logging
import signal
import socket

from aiohttp import web

from pyfunc.app import LIFECYCLE
from pyfunc.connection import Runner
from pyfunc.lifecycle import Phase
from pyfunc.listeners import listen, shown
from pyfunc.settings import Settings

__all__ = ["serve"]

logger = logging.getLogger("pyfunc")

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def serve(app: web.Application, settings: Settings) -> int:
    """Serve until a signal says to stop; the exit code.

    Raises:
        ListenError: An address cannot be listened on.
    """
    sockets = listen(settings.addresses)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(_serve(app, settings, sockets))


def _loop_factory() -> "type[asyncio.AbstractEventLoop] | None":
    try:
        import uvloop  # not there on Windows and PyPy
    except ImportError:
        return None
    return uvloop.Loop


async def _serve(app: web.Application, settings: Settings, sockets: list[socket.socket]) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, stop.set)
    runner = Runner(
        app,
        handle_signals=False,
        access_log=None,
        shutdown_timeout=settings.drain_timeout,
        read_timeout=settings.read_timeout,
        keepalive_timeout=settings.keep_alive,
        max_head=settings.max_head,
        max_headers=settings.max_headers,
    )
    await runner.setup()
    try:
        for sock in sockets:
            await web.SockSite(runner, sock).start()
            logger.info("listening on %s", shown(sock))
        await stop.wait()
        await _drain(app, runner, settings)
    finally:
        await runner.cleanup()
    logger.info("stopped")
    return 0


async def _drain(app: web.Application, runner: web.AppRunner, settings: Settings) -> None:
    lifecycle = app[LIFECYCLE]
    lifecycle.phase = Phase.DRAINING
    logger.info("draining, %d in flight", lifecycle.in_flight)
    await asyncio.sleep(settings.drain_delay or 0)
    for site in list(runner.sites):
        await site.stop()
    if not await lifecycle.idle(settings.drain_timeout):
        logger.warning("%d still in flight after the drain", lifecycle.in_flight)
