async def main(data, attributes):
    attributes["type"] = "com.example.reply"
    return attributes, {"greeting": f"Hello {data['name']}"}
