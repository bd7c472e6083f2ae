"""Which parts of a text are links, and where they lead."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desktop_client.widgets.links import find, shown_host
from tests.gui.strange import STRANGE


@pytest.mark.parametrize(
    ("text", "link"),
    [
        ("see https://example.com/a?b=1, ok?", "https://example.com/a?b=1"),
        ("(http://a.de/x_(y)).", "http://a.de/x_(y)"),
        ("见https://a.b/c谢谢。", "https://a.b/c"),
        ("https://a.b，好", "https://a.b"),
        ("“https://a.b”", "https://a.b"),
        ("<https://a.b/c>", "https://a.b/c"),
        ("mailto:li.na@example.org.", "mailto:li.na@example.org"),
        ("HTTPS://EXAMPLE.COM!", "HTTPS://EXAMPLE.COM"),
        ("http://dorm7.local:8080/402", "http://dorm7.local:8080/402"),
        ("http://[fe80::1]/x", "http://[fe80::1]/x"),
    ],
)
def test_stops_and_brackets_of_the_sentence_are_no_part_of_a_link(text: str, link: str) -> None:
    assert [text[found.start : found.end] for found in find(text)] == [link]
    assert find(text)[0].target == link


@pytest.mark.parametrize(
    "text",
    ["javascript:alert(1)", "file:///etc/passwd", "ftp://a.b", "http://", "https:///x", "https://a:99999/", "a@b.c"],
)
def test_other_schemes_and_broken_addresses_are_plain_text(text: str) -> None:
    assert find(text) == ()


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("http://例子.中国/路", "xn--fsqu00a.xn--fiqs8s"),
        ("https://bücher.de/ü", "xn--bcher-kva.de"),
        ("https://аpple.com", "xn--pple-43d.com"),
        ("https://good.com@evil.com/", "evil.com"),
        ("https://a.com\u202egpj.exe", "a.com"),
        ("mailto:a@b.de?subject=x", "a@b.de"),
    ],
)
def test_who_is_behind_a_link_is_told_as_the_network_knows_it(text: str, host: str) -> None:
    assert shown_host(find(text)[0].target) == host
    assert find(text)[0].target.isascii()


@given(st.text(st.sampled_from("htps:/.例ü@[]%?#() \u202eab1"), max_size=40).map(lambda t: "http://" + t))
def test_no_text_harms_the_search_for_links(text: str) -> None:
    for found in find(text):
        assert 0 <= found.start < found.end <= len(text) and found.target.isascii()


@pytest.mark.parametrize("name", STRANGE)
def test_the_strangest_texts_are_searched_at_once(name: str) -> None:
    find(STRANGE[name] + " https://example.com")
