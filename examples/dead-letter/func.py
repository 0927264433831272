import base64
import logging

log = logging.getLogger("dead-letter")


def main(attributes, data):
    reason = base64.b64decode(attributes.get("knativeerrordata", "")).decode(errors="replace")
    log.error(
        "event %s of type %s was not taken by %s: status %s, %s",
        attributes["id"],
        attributes["type"],
        attributes.get("knativeerrordest", "nobody"),
        attributes.get("knativeerrorcode", "unknown"),
        reason or "no reason given",
        extra={"data": data},
    )
