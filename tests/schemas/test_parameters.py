"""What steps are told: objects that cannot change, and no key that two parts of a section would share."""

import dataclasses

import pytest

from weft.schemas import parameters
from weft.schemas.config import Config
from weft.schemas.parameters import ConfigError, Table

OBJECTS = [
    one for one in vars(parameters).values() if isinstance(one, type) and dataclasses.is_dataclass(one)
] + [type(value) for value in vars(Config()).values() if dataclasses.is_dataclass(value)]  # fmt: skip


@pytest.mark.parametrize("kind", OBJECTS, ids=lambda kind: kind.__name__)
def test_each_has_defaults_is_frozen_and_can_be_hashed(kind):
    made = kind()
    assert hash(made) == hash(kind())
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(made, dataclasses.fields(made)[0].name, None)


@pytest.mark.parametrize("kind", OBJECTS, ids=lambda kind: kind.__name__)
def test_no_key_is_in_two_of_the_parts_that_a_section_is_made_of(kind):
    """The one that comes first would silently decide for both."""
    own = [name for base in kind.__mro__ for name in vars(base).get("__annotations__", ())]
    assert sorted(own) == sorted(set(own))


def test_tables_with_the_same_values_are_the_same_whatever_their_order():
    assert hash(Table(a=0.1, b=("x", "y"))) == hash(Table(b=("x", "y"), a=0.1)) != hash(Table(a=0.2, b=("x", "y")))


def test_an_error_of_configuration_is_a_wrong_value():
    assert issubclass(ConfigError, ValueError)
