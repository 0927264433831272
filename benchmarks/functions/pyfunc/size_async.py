async def main(body: bytes):
    return str(len(body))
