"""Text never becomes markup, and numbers are written short."""

from __future__ import annotations

from html import unescape

from hypothesis import given
from hypothesis import strategies as st

from mosegedge.report.html import Markup, join, number, table, tag


@given(st.text())
def test_text_is_escaped_once_wherever_it_stands(text):
    inside = tag("p", None, text)
    assert inside.count("<") == 2
    assert unescape(inside[3:-4]) == text
    assert unescape(tag("p", {"title": text})[len('<p title="') : -len('"></p>')]) == text
    assert tag("div", None, inside) == f"<div>{inside}</div>"


@given(st.lists(st.text()))
def test_joining_escapes_text_and_keeps_markup(parts):
    assert unescape(join(parts)) == unescape("".join(join([part]) for part in parts))
    assert join([Markup("<br>"), "<br>"]) == "<br>&lt;br&gt;"


def test_attributes_with_quotes_stay_inside():
    assert tag("a", {"title": "\"' onload=x"}) == '<a title="&quot;&#x27; onload=x"></a>'


def test_numbers_are_short():
    assert (
        tag("rect", {"x": 1.23456, "y": 2.0, "width": 123456.789}) == '<rect x="1.23" y="2" width="123456.79"></rect>'
    )
    assert ">1\u2009234.50<" in number(1234.5)


def test_void_elements_are_not_closed():
    assert tag("img", {"alt": ""}) == '<img alt="">'


def test_a_table_has_a_row_a_record():
    text = table("caption", ("a", "b"), [("x", 1), ("y", 2.5)])
    assert text.count("<tr>") == 3
    assert ">1<" in text
    assert ">2.50<" in text
