import hashlib
import hmac
import os

from pyfunc import Event

SECRET = os.environ.get("WEBHOOK_SECRET", "").encode()


def main(body: bytes, headers):
    signed = "sha256=" + hmac.new(SECRET, body, hashlib.sha256).hexdigest()
    if not SECRET or not hmac.compare_digest(signed, headers.get("X-Hub-Signature-256", "")):
        return "the signature is missing or wrong\n", 401

    return Event(
        {
            "id": headers.get("X-GitHub-Delivery"),
            "type": f"com.github.{headers.get('X-GitHub-Event', 'unknown')}",
            "source": "https://github.com",
            "datacontenttype": headers.get("Content-Type", "application/json"),
        },
        body,
    )
