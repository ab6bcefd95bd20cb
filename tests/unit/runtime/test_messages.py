"""Tests that pydantic's errors are reported in auditlane's own words."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from auditlane.runtime.messages import plain


class Colour(StrEnum):
    red = "red"
    blue = "blue"


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=3, pattern="^[a-z]*$")] = "a"
    count: Annotated[int, Field(ge=1, lt=9)] = 1
    on: bool = True
    colour: Colour = Colour.red
    kind: Literal["x", "y"] = "x"
    many: list[str] = []
    more: dict[str, str] = {}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"name": 5}, "must be text"),
        ({"name": ""}, "must have at least 1 character"),
        ({"name": "abcd"}, "must have at most 3 characters"),
        ({"name": "A"}, "must have the form ^[a-z]*$"),
        ({"count": "x"}, "must be a whole number"),
        ({"count": 1.5}, "must be a whole number"),
        ({"count": 0}, "must be at least 1"),
        ({"count": 9}, "must be less than 9"),
        ({"on": "perhaps"}, "must be true or false"),
        ({"colour": "green"}, "must be one of 'red' or 'blue'"),
        ({"kind": "z"}, "must be one of 'x' or 'y'"),
        ({"many": "x"}, "must be a list"),
        ({"more": []}, "must be an object"),
        ({"other": 1}, "is not a known field"),
    ],
)
def test_a_validation_error_is_reported_in_plain_words(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Body(**values)
    assert plain(caught.value.errors()[0]) == words
