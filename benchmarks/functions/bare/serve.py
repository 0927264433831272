"""What all the bare applications share: uvloop, aiohttp's own runner, no access log."""

import sys

import uvloop
from aiohttp import web


def serve(handler):
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_route("*", "/", handler)  # a fixed path: the router's fastest
    app.router.add_route("*", "/made", handler)
    loop = uvloop.new_event_loop()
    port = int(sys.argv[1])
    web.run_app(app, host="127.0.0.1", port=port, access_log=None, print=None, loop=loop)
