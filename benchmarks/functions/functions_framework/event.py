import functions_framework


@functions_framework.cloud_event
def main(event):
    _ = f"Hello {event.data['name']}"  # a reply cannot be sent
