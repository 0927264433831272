def main(data, attributes, req):
    attributes["type"] = "com.example.reply"
    attributes["datacontenttype"] = "text/plain"
    return attributes, f"{req.headers.get('Ce-Type')}: {data}"
