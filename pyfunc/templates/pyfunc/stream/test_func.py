from func import main


def test_it_counts_down(invoke):
    answer = invoke(main, query={"from": 2, "every": 0})
    assert answer.status == 200
    assert answer.text == "2\n1\nLift-off!\n"
