"""An event function whose data has a type: what does not fit never gets here."""

from dataclasses import dataclass

import pyfunc


@dataclass
class Item:
    name: str
    price: float
    quantity: int = 1


@dataclass
class Order:
    customer: str
    items: list[Item]


@dataclass
class Invoice:
    customer: str
    total: float


async def main(data: Order, attributes: dict):
    if not data.items:
        raise pyfunc.Reject("an order without items")  # no sender repeats it
    total = sum(item.price * item.quantity for item in data.items)
    reply = {"type": "com.example.invoice", "subject": attributes.get("subject")}
    return reply, Invoice(data.customer, round(total, 2))
