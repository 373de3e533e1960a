"""Which model a request gets where several are of one variant, and what is said of names that there aren't."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiseg.core.errors import InvalidRequest
from hiseg.core.model_choice import choose_model, default_model, models_of_variants, shared_variants
from hiseg.core.result import ModelRef

B0, TINY, B1 = (ModelRef(name, "1", variant) for name, variant in (("b0", "b0"), ("a_tiny", "b0"), ("b1", "b1")))
PUBLISHED = ModelRef("hiseg_b0", "3", "b0")
MODELS = [B1, PUBLISHED, TINY]


def refused(models: list[ModelRef], model: str | None, variant: str | None) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as raised:
        choose_model(models, model, variant, "b0")
    return raised.value


@pytest.mark.parametrize(
    ("model", "variant", "name"),
    [
        (None, None, "hiseg_b0"),
        (None, "b0", "hiseg_b0"),
        (None, "b1", "b1"),
        ("a_tiny", None, "a_tiny"),
        ("a_tiny", "b0", "a_tiny"),
        ("b1", None, "b1"),
    ],
)
def test_a_model_by_name_by_variant_or_by_default(model: str | None, variant: str | None, name: str) -> None:
    assert choose_model(MODELS, model, variant, "b0").name == name


def test_the_default_may_name_a_model() -> None:
    assert choose_model(MODELS, None, None, "a_tiny") == TINY
    assert choose_model(MODELS, None, "b0", "a_tiny") == PUBLISHED, "who asks for a variant doesn't get the default"
    assert default_model([TINY, B0], "b0") == TINY, "a word that is both is a variant, as in a request"
    assert default_model(MODELS, "b7") is None


@given(st.permutations([B1, TINY, B0, PUBLISHED]), st.booleans())
def test_the_order_in_which_models_were_found_does_not_matter(models: list[ModelRef], has_published: bool) -> None:
    there = models if has_published else [model for model in models if model is not PUBLISHED]
    expected = PUBLISHED if has_published else TINY
    assert choose_model(there, None, "b0", "b1") == expected
    assert choose_model(there, None, None, "b0") == expected
    assert list(models_of_variants(there).items()) == [("b0", expected), ("b1", B1)]
    assert shared_variants(there) == shared_variants(list(reversed(there)))


def test_shared_variants_are_told_with_what_decides() -> None:
    assert shared_variants(MODELS) == [
        "a_tiny, hiseg_b0 are of one variant, b0: hiseg_b0 answers for it; ask for the rest by name, as model=a_tiny"
    ]
    (sentence,) = shared_variants([B0, TINY, B1])
    assert "a_tiny answers for it, as the first by name" in sentence
    assert sentence.endswith("model=b0")
    assert not shared_variants([TINY, B1])


@pytest.mark.parametrize(
    ("model", "variant", "field", "limit", "words"),
    [
        ("none", None, "model", ["a_tiny", "b1", "hiseg_b0"], "'none' is not served; there is a_tiny, b1, hiseg_b0"),
        ("b0", None, "model", ["a_tiny", "b1", "hiseg_b0"], "it is a variant, so write variant=b0"),
        ("hiseg_b0/3", None, "model", ["a_tiny", "b1", "hiseg_b0"], "a version can't be asked for"),
        ("a_tiny:2", None, "model", ["a_tiny", "b1", "hiseg_b0"], "so write model=a_tiny"),
        (None, "b7", "variant", ["b0", "b1"], "'b7' is not served; there is b0, b1"),
        (None, "a_tiny", "variant", ["b0", "b1"], "it is the name of a model, so write model=a_tiny"),
        ("a_tiny", "b1", "variant", "b0", "'a_tiny' is of variant 'b0', and variant says 'b1'"),
    ],
)
def test_what_there_is_not_is_refused(
    model: str | None, variant: str | None, field: str, limit: object, words: str
) -> None:
    error = refused(MODELS, model, variant)
    assert (error.field, error.limit) == (field, limit)
    assert error.value == (model if field == "model" else variant)
    assert words in error.detail


def test_the_hint_comes_before_a_long_list() -> None:
    many = [ModelRef(f"model_number_{number:04}", "1", "b0") for number in range(100)]
    assert "so write variant=b0" in refused(many, "b0", None).detail
    assert "so write model=model_number_0007" in refused(many, "model_number_0007/1", None).detail
