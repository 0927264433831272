import functions_framework.aio


@functions_framework.aio.http
async def main(request):
    body = await request.body()
    return f"Hello {body.decode()}"
