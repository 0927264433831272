from pyfunc.request.codings import CODINGS, unknown_coding


def test_the_refusal_names_the_codings_that_are_taken() -> None:
    error = unknown_coding()
    assert error.status == 415
    assert error.headers == {"Accept-Encoding": ", ".join(CODINGS)}
    assert {"gzip", "deflate"} <= set(CODINGS)
