import asyncio
import json


async def answer(prompt: str):
    """Stands for a model's client; any async iterator of pieces of text will do."""
    for word in f"You said: {prompt}".split():
        await asyncio.sleep(0.05)
        yield word + " "


async def events(prompt: str):
    async for piece in answer(prompt):
        yield f"data: {json.dumps({'text': piece})}\n\n"
    yield "data: [DONE]\n\n"


async def main(query):
    headers = {"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
    return events(query.get("prompt", "nothing")), headers
