async def main(events):
    names = [event.data["name"] for event in events]
    return {"type": "com.example.reply"}, {"greeted": len(names)}
