from func import main

from pyfunc.testing import event


def test_it_sums_a_batch(invoke):
    batch = [event(data={"n": 1}), event(data={"n": 2})]
    assert invoke(main, batch).event.data == {"events": 2, "total": 3}


def test_it_takes_a_single_event(invoke):
    reply = invoke(main, event(type="com.example.order", data={"n": 4}))
    assert reply.event.type == "com.example.total"
    assert reply.event.data == {"events": 1, "total": 4}
