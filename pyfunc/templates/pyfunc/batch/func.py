"""An event function that takes a whole batch at once, and single events as batches of one."""

import logging


def main(events):
    total = sum(event.data["n"] for event in events)
    logging.info("%d events, %d in all", len(events), total)
    return {"type": "com.example.total"}, {"events": len(events), "total": total}
