def main(context):
    return f"Hello {context.request.get_data().decode()}"
