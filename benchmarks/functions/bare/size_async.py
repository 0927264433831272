from aiohttp import web
from serve import serve


async def handle(request):
    return web.Response(text=str(len(await request.read())))


if __name__ == "__main__":
    serve(handle)
