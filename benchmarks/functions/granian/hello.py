async def app(scope, protocol):
    body = await protocol()
    protocol.response_str(200, [("content-type", "text/plain")], f"Hello {body.decode()}")
