"""The handshake of web hooks, over HTTP; the numbers are those of `docs/cloudevents.md`."""

import asyncio
import logging
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from pyfunc import Event
from pyfunc.errors import SettingsError
from pyfunc.settings import Settings
from tests.support.apps import Serve
from tests.support.events import event_headers

ORIGIN = "eventemitter.example.com"
ALLOWED = ("WebHook-Allowed-Origin", "WebHook-Allowed-Rate")


def handle(event: Event) -> None:
    return None


def asking(origin: str = ORIGIN, **more: str) -> dict[str, str]:
    return {
        "WebHook-Request-Origin": origin,
        **{f"WebHook-Request-{name.capitalize()}": value for name, value in more.items()},
    }


async def test_it_is_off_unless_asked_for(serve: Serve) -> None:  # M49 M56
    client = await serve(handle)
    response = await client.options("/", headers=asking())
    assert response.status == 204
    assert "POST" in response.headers["Allow"]
    assert not any(name in response.headers for name in ALLOWED)
    assert (
        await client.post("/", headers={**event_headers(), **asking("a.example")})
    ).status == 200


@pytest.mark.parametrize(
    ("settings", "asked", "allowed"),
    [
        pytest.param({"webhook_origins": (ORIGIN,)}, {}, (ORIGIN, "*"), id="M55 origin"),
        pytest.param({"webhook_origins": ("*",)}, {}, ("*", "*"), id="M55 any origin"),
        pytest.param(
            {"webhook_origins": ("a.example", ORIGIN), "webhook_rate": 100},
            {"rate": "120"},
            (ORIGIN, "100"),
            id="M55 rate",
        ),
        pytest.param(
            {"webhook_origins": ("*",), "webhook_rate": 100},
            {"rate": "50"},
            ("*", "50"),
            id="M55 lower rate",
        ),
        pytest.param(
            {"webhook_origins": ("*",), "webhook_rate": 100},
            {"rate": "lots"},
            ("*", "100"),
            id="M55 malformed rate",
        ),
        pytest.param(
            {"webhook_origins": ("EventEmitter.Example.com",)},
            {},
            (ORIGIN, "*"),
            id="M55 names in any case",
        ),
    ],
)
async def test_an_agreed_origin_is_told_so(
    serve: Serve, settings: dict[str, Any], asked: dict[str, str], allowed: tuple[str, str]
) -> None:
    client = await serve(handle, **settings)
    response = await client.options("/hook", headers=asking(**asked))
    assert response.status == 200
    assert "POST" in response.headers["Allow"]
    assert tuple(response.headers[name] for name in ALLOWED) == allowed


async def test_another_origin_gets_no_agreement(serve: Serve) -> None:  # M56
    client = await serve(handle, webhook_origins=(ORIGIN,))
    response = await client.options("/", headers=asking("elsewhere.example"))
    assert response.status == 405
    assert response.headers["Allow"] == "POST"
    assert "elsewhere" not in await response.text()
    assert not any(name in response.headers for name in ALLOWED)


async def test_an_ordinary_options_request_stays_one(serve: Serve) -> None:  # M49
    client = await serve(handle, webhook_origins=(ORIGIN,))
    response = await client.options("/")
    assert response.status == 204
    assert not any(name in response.headers for name in ALLOWED)


@pytest.mark.parametrize(
    ("origins", "sent", "status"),
    [
        ((ORIGIN,), ORIGIN, 200),
        ((ORIGIN,), "elsewhere.example", 403),
        ((ORIGIN,), None, 403),
        (("*",), "elsewhere.example", 200),
        (("*",), None, 200),
    ],
)
async def test_deliveries_are_taken_from_agreed_origins_only(  # M52
    serve: Serve, origins: tuple[str, ...], sent: str | None, status: int
) -> None:
    client = await serve(handle, webhook_origins=origins)
    headers = event_headers() if sent is None else {**event_headers(), **asking(sent)}
    assert (await client.post("/", data=b"{}", headers=headers)).status == status


async def test_http_functions_take_web_hooks_too(serve: Serve) -> None:
    client = await serve("def main(body): return 'taken'", webhook_origins=(ORIGIN,))
    assert (await client.options("/", headers=asking())).headers[ALLOWED[0]] == ORIGIN
    assert (await client.post("/", data=b"x", headers=asking())).status == 200
    assert (await client.post("/", data=b"x")).status == 403
    assert (await client.get("/")).status == 200


async def test_probes_ask_for_no_origin(serve: Serve) -> None:
    client = await serve(handle, webhook_origins=(ORIGIN,))
    assert (await client.get("/healthz/live")).status == 200


class Sender:
    """A sender that waits to be called back."""

    def __init__(self, status: int = 200, location: str = "") -> None:
        self.called: asyncio.Queue[web.Request] = asyncio.Queue()
        self.headers = {"Location": location} if location else {}
        self.status = status

    async def answer(self, request: web.Request) -> web.Response:
        await self.called.put(request)
        return web.Response(status=self.status, headers=self.headers)

    async def server(self) -> TestServer:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self.answer)
        server = TestServer(app)
        await server.start_server()
        return server


async def test_permission_is_granted_by_calling_back(serve: Serve) -> None:  # M56
    sender = Sender()
    server = await sender.server()
    client = await serve(handle, webhook_origins=(ORIGIN,), webhook_rate=60)
    url = str(server.make_url("/confirm?id=1&key=secret"))
    response = await client.options("/", headers=asking(callback=url))
    assert response.status == 200
    assert not any(name in response.headers for name in ALLOWED)
    called = await sender.called.get()
    assert (called.method, called.path_qs) == ("GET", "/confirm?id=1&key=secret")
    assert tuple(called.headers[name] for name in ALLOWED) == (ORIGIN, "60")
    await server.close()


async def test_a_callback_follows_no_redirect_and_tells_no_key(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "pyfunc")
    sender = Sender(302, "/elsewhere")
    server = await sender.server()
    client = await serve(handle, webhook_origins=("*",))
    url = str(server.make_url("/confirm?key=secret"))
    await client.options("/", headers=asking(callback=url))
    assert (await sender.called.get()).path == "/confirm"
    await client.close()  # what is under way ends with the app
    assert sender.called.empty()
    assert "secret" not in caplog.text
    await server.close()


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://a.example/", "no url", "http://", ""])
async def test_a_callback_to_anything_but_http_is_refused(serve: Serve, url: str) -> None:
    client = await serve(handle, webhook_origins=("*",))
    response = await client.options("/", headers=asking(callback=url))
    assert response.status == 400
    assert response.content_type == "application/problem+json"


class Lines(logging.Handler):
    """Log records to wait for."""

    def __init__(self) -> None:
        super().__init__()
        self.queue: asyncio.Queue[logging.LogRecord] = asyncio.Queue()

    def emit(self, record: logging.LogRecord) -> None:
        self.queue.put_nowait(record)


async def test_a_callback_that_fails_is_one_line(serve: Serve, unused_tcp_port: int) -> None:
    client = await serve(handle, webhook_origins=("*",))
    lines = Lines()
    logger = logging.getLogger("pyfunc.webhook")
    logger.addHandler(lines)
    url = f"http://127.0.0.1:{unused_tcp_port}/?key=secret"
    await client.options("/", headers=asking(callback=url))
    record = await lines.queue.get()
    logger.removeHandler(lines)
    assert record.levelname == "WARNING"
    assert record.getMessage() == "cannot call back 127.0.0.1: ClientConnectorError"


async def test_nobody_agrees_to_callbacks_for_an_origin_that_is_refused(serve: Serve) -> None:
    sender = Sender()
    server = await sender.server()
    client = await serve(handle, webhook_origins=(ORIGIN,))
    url = str(server.make_url("/confirm"))
    headers = asking("elsewhere.example", callback=url)
    assert (await client.options("/", headers=headers)).status == 405
    await client.close()
    assert sender.called.empty()
    await server.close()


@pytest.mark.parametrize(
    ("name", "value"),
    [("origins", "a,,b"), ("origins", "https://a"), ("rate", "0"), ("rate", "often")],
)
def test_settings_that_make_no_sense_are_refused(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"--webhook-{name} is '{value}'"):
        Settings.resolve({f"webhook_{name}": value}, {})


def test_settings_are_read() -> None:
    settings = Settings.resolve({"webhook_origins": "a.example, *", "webhook_rate": "60"}, {})
    assert (settings.webhook_origins, settings.webhook_rate) == (("a.example", "*"), 60)
    assert Settings.resolve({"webhook_rate": "*"}, {}).webhook_rate == 0


@pytest.mark.parametrize(
    ("named", "status"),
    [
        pytest.param({"Origin": ORIGIN}, 200, id="the name in 1.0 and 1.0.1"),
        pytest.param({"Origin": ORIGIN.upper()}, 200, id="capitals"),
        pytest.param({"Origin": f"https://{ORIGIN}"}, 200, id="with a scheme"),
        pytest.param({"Origin": "elsewhere.example"}, 403, id="another"),
        pytest.param({"Origin": ORIGIN, "WebHook-Request-Origin": ORIGIN}, 200, id="both"),
        pytest.param(
            {"Origin": "elsewhere.example", "WebHook-Request-Origin": ORIGIN}, 403, id="one of two"
        ),
    ],
)
async def test_deliveries_may_name_their_origin_as_earlier_specifications_do(
    serve: Serve, named: dict[str, str], status: int
) -> None:
    client = await serve(handle, webhook_origins=(ORIGIN,))

    assert (await client.post("/", headers={**event_headers(), **named})).status == status
