from pyfunc import Event


def main(data: dict, attributes):
    return [
        Event(
            {
                "type": "com.example.order.line",
                "source": f"{attributes['source']}/lines/{number}",
                "subject": line["article"],
            },
            line,
        )
        for number, line in enumerate(data["lines"])
    ]
