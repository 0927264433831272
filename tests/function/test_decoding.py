import msgspec
import pydantic
import pytest

from pyfunc.function.annotations import UnsupportedTypeError
from pyfunc.function.decoding import decoder_of


class Model(pydantic.BaseModel):
    n: int


class One(msgspec.Struct):
    a: int


class Two(msgspec.Struct):
    b: int


def test_text_and_plain_values_are_decoded_alike() -> None:
    for annotation in (dict[int, float], One | Two, Model | int, list[Model]):
        decoder = decoder_of(annotation)
        for text in (b'{"1": 2}', b'{"b": 1}', b'{"n": 1}', b'[{"n": 1}]', b"5", b'"x"'):
            try:
                value = decoder.from_json(text)
            except msgspec.ValidationError:
                with pytest.raises(msgspec.ValidationError):
                    decoder.from_plain(msgspec.json.decode(text), True)
            else:
                assert decoder.from_plain(msgspec.json.decode(text), True) == value


def test_text_counts_as_a_number_only_where_it_is_not_strict() -> None:
    decoder = decoder_of(int)
    assert decoder.from_plain("5", False) == 5
    with pytest.raises(msgspec.ValidationError):
        decoder.from_plain("5", True)


def test_a_union_that_nobody_takes_is_refused() -> None:
    with pytest.raises(UnsupportedTypeError):
        decoder_of(object | bytes | complex)
