from dataclasses import dataclass


@dataclass
class Item:
    name: str
    price: float
    quantity: int = 1


@dataclass
class Order:
    customer: str
    items: list[Item]


async def main(data: Order, attributes: dict):
    total = sum(item.price * item.quantity for item in data.items)
    reply = {
        "type": "com.example.order.priced",
        "source": "/examples/order",
        "subject": attributes.get("subject"),
    }
    return reply, {"customer": data.customer, "total": round(total, 2)}
