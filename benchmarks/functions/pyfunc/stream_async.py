"""Streams chunks too large for any socket buffer, and tells how many were made so far."""

SIZE = 16 * 1024 * 1024
made = 0


async def main(path: str):
    return str(made) if path == "/made" else chunks()


async def chunks():
    global made
    for _ in range(8):
        made += 1
        yield b"x" * SIZE
