def main(body: bytes):
    return f"Hello {body.decode()}"
