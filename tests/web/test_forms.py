"""Tokens of forms."""

from hypothesis import given
from hypothesis import strategies as st

from outrider.kit.crypto import set_vault
from outrider.web import forms
from tests.support.make import VAULT


@given(st.text(st.characters(codec="utf-8"), min_size=1), st.text(st.characters(codec="utf-8"), min_size=1))
def test_a_token_belongs_to_one_browser(binding: str, other: str) -> None:
    set_vault(VAULT)
    token = forms.make_token(binding)
    assert forms.is_token(token, binding)
    assert forms.is_token(token, other) is (other == binding)
    assert token != forms.make_token(binding)


@given(st.text())
def test_whatever_else_is_no_token(text: str) -> None:
    set_vault(VAULT)
    assert not forms.is_token(text, "a browser")
