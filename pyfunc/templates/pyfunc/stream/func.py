"""An HTTP function that streams: each value is sent as soon as it is yielded."""

import asyncio


async def main(query):
    for number in range(int(query.get("from", 3)), 0, -1):
        yield f"{number}\n"
        await asyncio.sleep(float(query.get("every", 0.2)))
    yield "Lift-off!\n"
