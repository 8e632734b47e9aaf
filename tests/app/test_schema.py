"""The schema: every rule accepts what it says, refuses the rest in words, and agrees with the shipped configuration."""

import math
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinn_ntk.app import KEYS, Fault, check, flatten, keys_of, shown
from pinn_ntk.rules import Rule, flag, positive, whole
from pinn_ntk.training import METHODS

NOT_NUMBERS = st.one_of(
    st.text(), st.booleans(), st.lists(st.integers()), st.dictionaries(st.text(), st.integers()), st.none()
)


@given(st.integers(min_value=1, max_value=2**63 - 1))
def test_whole_numbers_in_range_are_accepted(n: int) -> None:
    assert whole("N", 1).fault(n) is None


@given(st.one_of(st.integers(max_value=0), st.floats(), NOT_NUMBERS))
def test_everything_else_is_refused_as_a_width(value: object) -> None:
    assert "expected a whole number, at least 1" in str(whole("N", 1).fault(value))


@given(st.floats(min_value=0, exclude_min=True, allow_infinity=False))
def test_positive_numbers_are_accepted(x: float) -> None:
    assert positive("x").fault(x) is None


@given(st.one_of(st.floats(max_value=0), st.just(math.nan), st.just(math.inf), NOT_NUMBERS))
def test_everything_else_is_refused_as_a_step_size(value: object) -> None:
    assert "expected a positive number" in str(positive("x").fault(value))


@given(st.one_of(st.integers(), st.floats(), st.text(), st.none()))
def test_a_flag_is_a_bool(value: object) -> None:
    assert flag("").fault(value)
    assert flag("").fault(True) is None


@given(st.floats(min_value=0, max_value=1, exclude_max=True))
def test_a_momentum_may_be_zero_but_not_one(x: float) -> None:
    momentum = keys_of(METHODS["heavy_ball"].states, "optimizer.")["optimizer.momentum"]
    assert momentum.fault(x) is None
    assert "at least 0 and below 1" in str(momentum.fault(1.0))
    assert momentum.fault(-1e-9)


def test_null_is_for_optional_keys_only() -> None:
    assert replace(whole("every", 1), optional=True).fault(None) is None
    assert "got null" in str(whole("steps").fault(None, shown))
    assert "got None" in str(whole("steps").fault(None))


def test_not_finite_is_refused_at_any_depth() -> None:
    assert "inf" in str(Rule("", "any").fault([1.0, {"a": [math.inf]}]))
    assert Rule("", "any").fault([1.0, {"a": ["x", None]}]) is None


def test_a_whole_float_is_told_how_to_be_written() -> None:
    assert str(whole("steps").fault(2.0)).endswith("write 2")


def test_everything_wrong_is_found_at_once_with_the_nearest_key() -> None:
    table = {"network.width": whole("", 1), "optimizer.steps": whole(""), "seed": whole("")}
    faults = check({"network": {"widht": 3, "width": -1}, "steps": 4, "seed": "x"}, table)
    assert [f.key for f in faults] == ["network.widht", "network.width", "steps", "seed", "optimizer.steps"]
    assert "did you mean network.width?" in faults[0].message
    assert "did you mean optimizer.steps?" in faults[2].message
    assert "missing" in faults[4].message


def test_a_group_that_is_no_mapping_is_a_fault() -> None:
    assert Fault("network", "no such key; did you mean network.width?") in check(
        {"network": 3}, {"network.width": whole("")}
    )


def test_a_mapping_valued_key_is_not_descended_into() -> None:
    table = {"problem.weight": Rule("", "weights")}
    assert flatten({"problem": {"weight": {"boundary": 3.0}}}, table) == {"problem.weight": {"boundary": 3.0}}
    assert "boundary: got -1" in check({"problem": {"weight": {"boundary": -1}}}, table)[0].message


def test_a_signature_is_a_table_of_keys() -> None:
    def builder(
        *, points: int, shift: float = 0.0, label: str | None = None, weights: Mapping[str, float] | None = None
    ) -> None: ...

    table = keys_of(builder, "problem.")
    assert set(table) == {"problem.points", "problem.shift", "problem.label", "problem.weight"}
    assert table["problem.points"].required
    assert not table["problem.shift"].required
    assert "at least 1" in str(table["problem.points"].fault(0))
    assert table["problem.label"].fault(None) is None
    assert table["problem.shift"].fault("x")
    assert table["problem.weight"].fault({"a": 1.0}) is None


@pytest.mark.parametrize("name", KEYS)
def test_every_key_says_what_it_is(name: str) -> None:
    assert KEYS[name].doc
    assert KEYS[name].expected()
