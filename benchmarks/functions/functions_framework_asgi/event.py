import functions_framework.aio


@functions_framework.aio.cloud_event
async def main(event):
    _ = f"Hello {event.data['name']}"  # a reply cannot be sent
