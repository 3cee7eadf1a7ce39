"""The page: everything in one file, text escaped."""

from __future__ import annotations

from nestrec.report.page import Page
from nestrec.report.table import TextTable
from tests.report.test_quality import ROWS

PAGE = Page("A & B", "<headline>", ROWS, ("ndcg@20",), (TextTable(("width",), (("4",),), "Title"),), ("a > b",), ("n",))


def test_all_texts_are_there_and_escaped() -> None:
    html = PAGE.html()
    for text in ("<h1>A &amp; B</h1>", "&lt;headline&gt;", "<h2>Title</h2>", "<pre>a &gt; b</pre>", "<p>n</p>"):
        assert text in html


def test_there_is_a_chart_a_metric_and_one_of_the_share_kept() -> None:
    assert PAGE.html().count("<svg") == 2


def test_nothing_is_fetched() -> None:
    html = PAGE.html().replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert not any(word in html for word in ("http://", "https://", "src=", "@import", "url("))
