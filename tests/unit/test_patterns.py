"""A pattern means the same in Python, in RE2 and in the column form, or is refused."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
import pytest
import re2
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from auditlane.contract.patterns import LONGEST_VALUE, Pattern

# Split at the blanks.
ATOMS = r"""a b . \d \D \w \W \s \S ^ $ \A \b \n \v \. [ab] [^a] [\s\d] [^\s] []a] [^]a] [a-c$] [(] [\]] é É ſ K { }
{,2}
{2} ] - | ( ) (?: (?P<n> (?i) (?s: \1 \0 \12 \Z \z \B \pL [[:alpha:]] \x41 \Q \C [a--b] [&&a] [ [^ \\ \ """
atoms = st.sampled_from(ATOMS.split())
repeats = st.sampled_from(["", "", "", "*", "+", "?", "{1,2}", "{2}", "{0,}", "+?", "*+", "??"])
patterns = st.lists(st.tuples(atoms, repeats).map("".join), min_size=1, max_size=5).map("".join)
values = st.text(alphabet="abcAB1 _\n\t\v\f\r\0.$-(){}[]|éÉſsKk\u2003\u0661", max_size=6)


@settings(max_examples=500, deadline=None)
@given(patterns, st.lists(values, min_size=1, max_size=8))
def test_python_re2_and_columns_agree(text: str, given: list[str]) -> None:
    try:
        pattern = Pattern.parse(text)
    except ValueError:
        assume(False)
    assert pattern.python is not None or pattern.matches("a") is None
    expected = [re2.fullmatch(text, value) is not None for value in given]
    assert pc.match_substring_regex(pa.array(given), pattern.re2).to_pylist() == expected
    if pattern.python is not None:
        assert [pattern.matches(value) for value in given] == expected


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        (r"(a)\1", "back-references"),
        ("(?i)abc", "without flags"),
        ("(?=a)", "look-arounds"),
        ("a{,3}", "{0,n}"),
        (r"\Bx", r"\B"),
        (r"[\S]", "outside of brackets"),
        ("(", "Python's re says"),
        ("[[:alpha:]]", "not understood"),
        (r"\Z", "RE2 says"),
        ("a++", "RE2 says"),
        ("(?P<n>a)(?P<n>b)", "Python's re says"),
        ("", "1 to 1000 characters"),
        ("a" * 1001, "1 to 1000 characters"),
        (7, "1 to 1000 characters"),
    ],
)
def test_what_cannot_agree_is_refused_with_advice(text: object, advice: str) -> None:
    with pytest.raises(ValueError) as refused:
        Pattern.parse(text)
    assert advice in str(refused.value)


@pytest.mark.parametrize(
    ("text", "value", "matches"),
    [
        ("a|b", "b", True),
        ("a|b", "ab", False),
        ("a$", "a\n", False),
        ("a$\n", "a\n", False),
        (r"\d+", "٣", False),
        (r"\w+", "é", False),
        (".", "\n", False),
        (".", "😀", True),
        ("[^a]", "\n", True),
        (r"\s", "\v", False),
        (r"[A-Z]{2}-\d{4}", "AB-1234", True),
        (r"[^@\s]+@[^@\s]+\.[a-z]+", "someone@example.com", True),
    ],
)
def test_the_whole_value_and_ascii_classes(text: str, value: str, matches: bool) -> None:
    pattern = Pattern.parse(text)
    assert pattern.matches(value) is matches
    assert pc.match_substring_regex(pa.array([value]), pattern.re2).to_pylist() == [matches]


@pytest.mark.parametrize("text", ["(a+)+b", "(a|a)*b", "(?:a?){30}b", "a*a*a*a*b", "((a)+)+", "(?:(?:a|b)c)*d"])
def test_what_python_could_be_slow_at_is_left_to_the_worker(text: str) -> None:
    assert Pattern.parse(text).matches("a" * 40) is None


def test_a_long_value_is_left_to_the_worker() -> None:
    assert Pattern.parse("a*").matches("a" * (LONGEST_VALUE + 1)) is None
