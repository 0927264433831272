from parliament import event


@event(event_type="com.example.reply", event_source="/greeter")
def main(context):
    return {"greeting": f"Hello {context.cloud_event.data['name']}"}
