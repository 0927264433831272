from func_python.http import serve


async def handle(scope, receive, send):
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    answer = f"Hello {body.decode()}".encode()
    headers = [[b"content-type", b"text/plain"], [b"content-length", str(len(answer)).encode()]]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})


if __name__ == "__main__":
    serve(handle)
