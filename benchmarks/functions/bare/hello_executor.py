import asyncio

from aiohttp import web
from serve import serve


def hello(body):
    return f"Hello {body.decode()}"


async def handle(request):
    body = await request.read()
    text = await asyncio.get_running_loop().run_in_executor(None, hello, body)
    return web.Response(text=text)


if __name__ == "__main__":
    serve(handle)
