"""Tests that patterns are matched only by RE2, at a limited cost, and mean the same in the gateway and in the
worker.
"""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
import re2
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from validating import contract, own

from auditlane.contract import patterns as patterns_
from auditlane.contract import rules
from auditlane.contract.patterns import LONGEST_VALUE, MOST_STATES, MOST_WORK, Pattern
from auditlane.contract.tenant_contract import Field, TenantContract, check_registrable
from auditlane.runtime.errors import InvalidInput
from auditlane.worker.validation import checks

# Separated by spaces.
ATOMS = r"""a b . \d \D \w \W \s \S ^ $ \A \b \n \v \. [ab] [^a] [\s\d] [^\s] []a] [^]a] [a-c$] [(] [\]] é É ſ K { }
{,2}
{2} ] - | ( ) (?: (?P<n> (?<n> (?i) (?s: \1 \0 \12 \123 \Z \z \B \pL \PL \x41 \Q \C [[:alpha:]]
[a--b] [&&a] [ [^ \\ \ """
atoms = st.sampled_from(ATOMS.split())
repeats = st.sampled_from(["", "", "", "*", "+", "?", "{1,2}", "{2}", "{0,}", "+?", "*+", "??"])
patterns = st.lists(st.tuples(atoms, repeats).map("".join), min_size=1, max_size=5).map("".join)
values = st.text(alphabet="abcAB1 _\n\t\v\f\r\0.$-(){}[]|éÉſsKk\u2003\u0661", max_size=6)

# Patterns that take a backtracking engine exponential or polynomial time. Each template is filled in for a given size.
EXPONENTIAL = {
    "optional": lambda n: ("a?" * n + "b", "a" * n),
    "optional group": lambda n: (f"(?:a?){{{n}}}b", "a" * n),
    "alternatives": lambda n: ("(?:a|a)" * n + "b", "a" * n),
    "alternatives repeated": lambda n: ("(?:a|a)*b", "a" * n),
    "nested plus": lambda n: ("(a+)+b", "a" * n),
    "nested star": lambda n: ("(x*)*y", "x" * n),
    "counted inside": lambda n: (f"(?:a{{0,3}}){{{n}}}b", "a" * n),
    "overlapping": lambda n: ("(?:a|ab|b)*c", "ab" * n),
    "many stars": lambda n: (".*" * n + "b", "a" * n),
}


@settings(max_examples=500, deadline=None)
@given(patterns, st.lists(values, min_size=1, max_size=8))
def test_all_evaluations_of_a_pattern_agree(text: str, texts: list[str]) -> None:
    try:
        pattern = Pattern.parse(text)
    except ValueError:
        assume(False)
    expected = [re2.fullmatch(text, value) is not None for value in texts]
    assert pc.match_substring_regex(pa.array(texts), pattern.re2).to_pylist() == expected
    assert [pattern.matches(value) for value in texts] == expected
    parsed = rules.parse({"pattern": text, "maxLength": 6}, "string")
    [broken] = [checks.broken_rules([(Field("x", "string", rules=parsed), pa.array(texts))])]
    assert [rules.check_value(parsed, value) for value in texts] == [
        broken[row][1] if row in broken else None for row in range(len(texts))
    ]


@settings(max_examples=300, deadline=None)
@given(
    st.recursive(
        st.sampled_from(["a", "b", ".", r"\w", "[ab]", "[^c]", "é"]),
        lambda inner: st.one_of(
            st.tuples(inner, st.sampled_from(["*", "+", "?", "{0,9}", "{30}", "{1,1000}"])).map("(?:%s)%s".__mod__),
            st.lists(inner, min_size=1, max_size=6).map("".join),
            st.lists(inner, min_size=2, max_size=6).map(lambda all_: f"(?:{'|'.join(all_)})"),
        ),
        max_leaves=40,
    )
)
def test_every_accepted_pattern_has_a_bounded_program(text: str) -> None:
    """RE2's time is proportional to the size of the program times the length of the value, so limiting the size limits
    the time.
    """
    try:
        pattern = Pattern.parse(text)
    except ValueError as error:
        assert "states" in str(error) or "RE2 reports" in str(error) or "characters" in str(error)  # noqa: PT017
        return
    assert 0 < pattern.states <= MOST_STATES
    assert pc.match_substring_regex(pa.array(["ab"]), pattern.re2).to_pylist() == [pattern.matches("ab")]


@pytest.mark.parametrize("kind", EXPONENTIAL)
@pytest.mark.parametrize("size", [24, 40, 100])
def test_patterns_slow_in_a_backtracking_engine_are_evaluated(kind: str, size: int) -> None:
    """The match runs in a process that can be killed, since Python's `re` would take far too long for most of these
    patterns.
    """
    text, value = EXPONENTIAL[kind](size)
    code = (
        "import sys; from auditlane.contract.patterns import Pattern\n"
        "print(Pattern.parse(sys.argv[1]).matches(sys.argv[2]))"
    )
    done = subprocess.run([sys.executable, "-c", code, text, value], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "False", done.stderr


def test_python_never_compiles_a_tenants_pattern(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    compiled = re._compile  # type: ignore[attr-defined]
    monkeypatch.setattr(re, "_compile", lambda pattern, flags: seen.append(pattern) or compiled(pattern, flags))
    text = "zz?(?:zz|z)*zz"
    parsed = rules.parse({"pattern": text, "maxLength": 9}, "string")
    assert rules.check_value(parsed, "zzzz") is None
    assert not any(isinstance(one, str) and "zz" in one for one in seen)


def test_without_re2_a_pattern_is_left_to_gateway_and_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns_, "_re2", None)
    pattern = Pattern.parse("a+")
    assert pattern.matches("b") is None
    parsed = rules.parse({"pattern": "a+", "maxLength": 2}, "string")
    assert [rules.check_value(parsed, value) for value in ("b", "aaa")] == [None, "maxLength"]
    assert not patterns_.available()
    with pytest.raises(ValueError, match="look-arounds"):
        Pattern.parse("(?=a)")


def test_the_module_is_importable_without_re2(monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import sys; sys.modules['re2'] = None\nfrom auditlane.contract import patterns\nprint(patterns.available())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "False"


def test_without_re2_nothing_is_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    import json

    monkeypatch.setattr(patterns_, "_re2", None)
    schema = contract(own("x", "string", pattern="a", maxLength=9))
    assert any("this process cannot check" in one for one in check_registrable(json.dumps(schema)))


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        (r"(a)\1", "back-references"),
        ("(?i)abc", "remove flags"),
        ("(?=a)", "look-arounds"),
        ("(?<n>a)", "remove flags and look-arounds"),
        ("a{,3}", "{0,n}"),
        (r"\pL", r"\p"),
        (r"[\PL]", r"\P"),
        (r"\C", r"\C"),
        (r"\Qa", r"\Q"),
        ("(", "RE2 reports"),
        ("a)|(?:b", "RE2 reports"),
        ("[[:alpha:]]", "not supported"),
        (r"\Z", "RE2 reports"),
        ("a++", "RE2 reports"),
        ("a{1001}", "RE2 reports"),
        ("", "1 to 1000 characters"),
        ("a" * 1001, "1 to 1000 characters"),
        (7, "1 to 1000 characters"),
        ("\ud800", "surrogate"),
        ("[ab]*(?:a[ab]{1000}|b[ab]{1000})c", "states (limit"),
        ("(?:.{0,100}){10}", "states (limit"),
        (
            "[ab]*(?:"
            + "|".join(f"a[ab{one}]{{1000}}" for one in "defghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUV")
            + ")c",
            "",
        ),
    ],
)
def test_costly_or_ambiguous_patterns_are_refused_with_advice(text: object, advice: str) -> None:
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
        (r"[\S]+", "ab", True),
        (r"a\Bb", "ab", True),
        (r"[A-Z]{2}-\d{4}", "AB-1234", True),
        (r"[^@\s]+@[^@\s]+\.[a-z]+", "someone@example.com", True),
    ],
)
def test_patterns_match_the_whole_value_and_classes_are_ascii(text: str, value: str, matches: bool) -> None:
    pattern = Pattern.parse(text)
    assert pattern.matches(value) is matches
    assert pc.match_substring_regex(pa.array([value]), pattern.re2).to_pylist() == [matches]


@pytest.mark.parametrize("longest", [{}, {"maxLength": LONGEST_VALUE + 1}, {"maxLength": "9"}])
def test_a_pattern_requires_a_maximum_length(longest: dict[str, Any]) -> None:
    import json

    problems = list(rules.problems({"pattern": "a"} | longest, "string"))
    assert any(one.startswith("`pattern` requires a `maxLength`") for one in problems)
    text = json.dumps(contract(own("x", "string", pattern="a", **longest)))
    assert any(one.startswith("x: `pattern` requires a `maxLength`") for one in check_registrable(text))
    with pytest.raises(InvalidInput, match="x: `pattern` requires a `maxLength`"):  # from any client
        TenantContract.parse(text)


def test_all_patterns_of_a_contract_are_bounded_together() -> None:
    import json

    costly = {"pattern": "[ab]*a[ab]{90}c", "maxLength": 100}
    states = Pattern.parse("[ab]*a[ab]{90}c").states
    most = MOST_WORK // (states * 100 * 4)
    fields = [own(f"x{n}", "string", **costly) for n in range(most + 1)]
    assert TenantContract.parse(json.dumps(contract(*fields[:most]))).ruled
    with pytest.raises(InvalidInput, match="steps per event"):
        TenantContract.parse(json.dumps(contract(*fields)))


def test_no_contract_delays_the_worker_for_long() -> None:
    import json

    rule = {"pattern": "[ab]*a[ab]{900}c", "maxLength": LONGEST_VALUE}
    problems = check_registrable(json.dumps(contract(own("x", "string", **rule))))
    assert any("steps per event" in found for found in problems)
    assert MOST_WORK * 12e-9 <= 0.01, "seconds of one event"


def test_the_worker_does_not_match_values_that_are_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    matched: list[list[str | None]] = []
    match = pc.match_substring_regex

    def spied(column: Any, pattern: str) -> Any:
        matched.append(column.to_pylist())
        return match(column, pattern)

    monkeypatch.setattr(checks.pc, "match_substring_regex", spied)
    field = Field("x", "string", rules=rules.parse({"pattern": "[ab]*", "maxLength": 4}, "string"))
    broken = checks.broken_rules([(field, pa.array(["ab", "a" * 100_000, None, "c"]))])
    assert {row: rule for row, (_, rule) in broken.items()} == {1: "maxLength", 3: "pattern"}
    assert matched == [["ab", None, None, "c"]]


def test_a_contract_that_only_arrow_refuses_is_invalid() -> None:
    pattern = Pattern("(")  # simulates a version of RE2 that accepts more
    assert "cannot be used" in checks.unmatchable([Field("x", "string", rules=rules.Rules(pattern=pattern))])
