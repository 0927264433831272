from cloudevents.core.v1.event import CloudEvent
from func_python.cloudevent import serve


async def handle(scope, receive, send):
    data = scope["event"].get_data()
    attributes = {
        "type": "com.example.reply",
        "source": "/greeter",
        "datacontenttype": "application/json",
    }
    await send.binary(CloudEvent(attributes, {"greeting": f"Hello {data['name']}"}))


if __name__ == "__main__":
    serve(handle)
