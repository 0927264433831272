"""An event function: it takes CloudEvents, and replies with one."""

import logging


def main(data, attributes):
    logging.info("%s from %s", attributes["type"], attributes["source"])
    attributes["type"] = "com.example.reply"  # another type than the one received
    return attributes, {"received": data}
