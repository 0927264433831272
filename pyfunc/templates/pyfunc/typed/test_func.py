from func import main

from pyfunc.testing import event

ORDER = {"customer": "Ada", "items": [{"name": "pen", "price": 1.5, "quantity": 2}]}


def test_an_order_becomes_an_invoice(invoke):
    reply = invoke(main, event(type="com.example.order", data=ORDER, subject="7"))
    assert reply.event.type == "com.example.invoice"
    assert reply.event.subject == "7"
    assert reply.event.data == {"customer": "Ada", "total": 3.0}


def test_an_order_without_items_is_not_repeated(invoke):
    answer = invoke(main, event(data={"customer": "Ada", "items": []}))
    assert answer.status == 422
    assert answer.outcome.action == "dead-letter"


def test_what_does_not_fit_is_told(invoke):
    answer = invoke(main, event(data={"customer": "Ada", "items": [{"name": "pen"}]}))
    assert answer.status == 422
    assert "price" in answer.json()["detail"]
