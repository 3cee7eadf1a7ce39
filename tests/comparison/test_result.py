"""A comparison as a table, and shown short."""

from __future__ import annotations

from tests.report.comparisons import WIDTHS, comparison, difference, ndcg, with_failure


def test_a_table_has_a_row_per_model_width_and_metric() -> None:
    frame = comparison("nestrec", "ease", "ials").to_pandas().set_index(["model", "width", "metric"])
    assert len(frame) == 3 * len(WIDTHS) * 5  # of which recall, ndcg and three of the catalogue
    for name in ("nestrec", "ease", "ials"):
        assert frame.loc[(name, 8, "ndcg@20"), "value"] == ndcg(name, 8)
    expected = difference("ease", "ndcg@20", 8)
    found = frame.loc[("ease", 8, "ndcg@20")]
    assert (found["difference"], found["difference_low"], found["difference_high"]) == (
        expected.mean,
        expected.low,
        expected.high,
    )
    assert found["kind"] == "whole"
    assert frame["difference"].loc["nestrec"].isna().all()
    assert frame["low"].loc[:, :, "coverage@20"].isna().all()


def test_a_model_that_failed_has_its_error_and_no_values() -> None:
    frame = with_failure("ials", 4).to_polars()
    rows = frame.filter(model="ials", width=4)
    assert rows["error"].to_list() == ["memory ran out"] * 5
    assert rows["value"].null_count() == 5
    assert frame.filter(model="ials", width=8)["error"].null_count() == 5


def test_it_is_shown_short() -> None:
    shown = repr(comparison("nestrec", "ease"))
    assert "nestrec, ease" in shown
    assert len(shown) < 120
