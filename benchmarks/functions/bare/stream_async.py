from aiohttp import web
from serve import serve

SIZE = 16 * 1024 * 1024
made = 0


async def handle(request):
    if request.path == "/made":
        return web.Response(text=str(made))
    response = web.StreamResponse()
    await response.prepare(request)
    async for chunk in chunks():
        await response.write(chunk)
    return response


async def chunks():
    global made
    for _ in range(8):
        made += 1
        yield b"x" * SIZE


if __name__ == "__main__":
    serve(handle)
