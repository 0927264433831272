import io

from PIL import Image

WIDTH = HEIGHT = 64


def main(data: bytes, attributes):
    image = Image.open(io.BytesIO(data)).convert("RGB")
    image.thumbnail((WIDTH, HEIGHT))
    thumbnail = io.BytesIO()
    image.save(thumbnail, "PNG")

    reply = {"type": "com.example.thumbnail", "datacontenttype": "image/png"}
    if "subject" in attributes:
        reply["subject"] = attributes["subject"]
    return reply, thumbnail.getvalue()
