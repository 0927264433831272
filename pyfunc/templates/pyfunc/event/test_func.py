from func import main

from pyfunc.testing import event


def test_it_replies_with_an_event(invoke):
    reply = invoke(main, event(type="com.example.order", data={"n": 1}))
    assert reply.event.type == "com.example.reply"
    assert reply.event.data == {"received": {"n": 1}}


def test_a_broker_forwards_the_reply(invoke):
    assert invoke(main, event()).outcome.action == "forward"
