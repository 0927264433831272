"""TLS from inside a function: aiohttp's client trusts what the system trusts, read late or not.

Each runs in a process of its own, since aiohttp is imported once.
"""

import asyncio
import os
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trustme
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.support.serving import Served

LATE = "from pyfunc.fastpath.late_imports import import_aiohttp; import_aiohttp()"
LOADERS = ("load_default_certs", "set_default_verify_paths")
LOOPS = {"asyncio": "asyncio.run(main())", "uvloop": "import uvloop; uvloop.run(main())"}

CALL = """
import asyncio, sys, aiohttp

async def main():
    async with aiohttp.ClientSession() as session:
        for _ in range(2):
            try:
                async with session.get(sys.argv[1]{options}) as response:
                    print(await response.text())
            except aiohttp.ClientConnectorCertificateError as error:
                print("refused")

{run}
"""


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
async def url(authority: trustme.CA) -> AsyncIterator[str]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    app = web.Application()

    async def greet(_: web.Request) -> web.Response:
        return web.Response(text="Hello")

    app.router.add_get("/", greet)
    server = TestServer(app, host="localhost", scheme="https")
    await server.start_server(ssl=context)
    yield str(server.make_url("/"))
    await server.close()


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path) -> dict[str, str]:
    """An environment in which the system trusts the authority."""
    bundle = tmp_path / "trusted.pem"
    authority.cert_pem.write_to_path(bundle)
    return {**os.environ, "SSL_CERT_FILE": str(bundle), "SSL_CERT_DIR": str(tmp_path)}


async def run(code: str, *arguments: str, environ: dict[str, str] | None = None) -> list[str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", "-c", code, *arguments),
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode().splitlines()


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("before", [LATE, "import aiohttp", f"import aiohttp; {LATE}"])
async def test_a_certificate_of_the_system_is_trusted(
    url: str, trusted: dict[str, str], loop: str, before: str
) -> None:
    call = CALL.format(options="", run=LOOPS[loop])

    assert await run(f"{before}\n{call}", url, environ=trusted) == ["Hello", "Hello"]


@pytest.mark.parametrize("loop", LOOPS)
async def test_another_certificate_is_refused(url: str, loop: str) -> None:
    call = CALL.format(options="", run=LOOPS[loop])

    assert await run(f"{LATE}\n{call}", url) == ["refused", "refused"]


async def test_verification_can_still_be_switched_off(url: str) -> None:
    call = CALL.format(options=", ssl=False", run=LOOPS["asyncio"])

    assert await run(f"{LATE}\n{call}", url) == ["Hello", "Hello"]


async def test_the_context_of_aiohttp_holds_what_any_default_context_holds(
    trusted: dict[str, str],
) -> None:
    code = f"""
{LATE}
import aiohttp, ssl
aiohttp.ClientSession
from aiohttp.connector import _SSL_CONTEXT_VERIFIED as late
print(type(late) is ssl.SSLContext)
print(late.cert_store_stats() == ssl.create_default_context().cert_store_stats() != {{}})
print(type(late) is ssl.SSLContext)
print(late.get_ca_certs() == ssl.create_default_context().get_ca_certs())
"""
    # The first line fails once aiohttp defers the certificates itself: then delete the module.
    assert await run(code, environ=trusted) == ["False", "True", "True", "True"]


async def test_other_contexts_are_not_changed() -> None:
    code = f"""
import ssl
before = [getattr(ssl.SSLContext, name) for name in {LOADERS}]
{LATE}
print([getattr(ssl.SSLContext, name) for name in {LOADERS}] == before)
print(type(ssl.create_default_context()) is ssl.SSLContext)
"""
    assert await run(code) == ["True", "True"]


async def test_python_is_restored_when_aiohttp_cannot_be_imported() -> None:
    code = f"""
import ssl, sys
before = [getattr(ssl.SSLContext, name) for name in {LOADERS}]
sys.modules["aiohappyeyeballs"] = None  # which the module that makes the contexts imports
try:
    {LATE}; import aiohttp; aiohttp.ClientSession
except ImportError:
    print("broken")
print([getattr(ssl.SSLContext, name) for name in {LOADERS}] == before)
"""
    assert await run(code) == ["broken", "True"]


async def test_a_served_function_trusts_what_the_system_trusts(
    url: str, trusted: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "func.py").write_text(
        "from aiohttp import ClientSession\n"
        "async def main():\n"
        f"    async with ClientSession() as session, session.get({url!r}) as response:\n"
        "        return await response.text()"
    )

    def ask() -> bytes:
        with urllib.request.urlopen(served.url, timeout=20) as answer:  # noqa: S310
            return bytes(answer.read())

    with Served(tmp_path, env=trusted) as served:
        assert await asyncio.to_thread(ask) == b"Hello"
