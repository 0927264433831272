from func import main


def test_it_greets_the_world(invoke):
    answer = invoke(main)
    assert answer.status == 200
    assert answer.json() == {"hello": "world"}


def test_it_greets_by_name(invoke):
    assert invoke(main, query={"name": "Ada"}).json() == {"hello": "Ada"}
