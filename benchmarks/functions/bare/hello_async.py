from aiohttp import web
from serve import serve


async def handle(request):
    body = await request.read()
    return web.Response(text=f"Hello {body.decode()}")


if __name__ == "__main__":
    serve(handle)
