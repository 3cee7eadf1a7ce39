"""Tables and words on a comparison: marks by the corrected p-value, the best other model, what failed."""

from __future__ import annotations

from dataclasses import replace

from nestrec.report.comparison_tables import (
    bands_table,
    best_table,
    comparison_tables,
    cost_table,
    differences_table,
    metric_table,
    options_table,
    seeds_table,
)
from nestrec.report.comparison_text import conclusion, describe_method
from nestrec.report.comparison_view import ComparisonView
from nestrec.report.table import TextTable
from tests.report.comparisons import MODELS, WIDTHS, comparison, view, with_failure


def row(table: TextTable, name: str) -> tuple[str, ...]:
    return next(row for row in table.rows if row[0] == name)


def test_significant_differences_are_marked_with_their_direction() -> None:
    table = metric_table(view(), "ndcg@20")
    assert row(table, "ease")[1:6] == ("0.2390 ▲",) * 4 + ("0.2390  ",)
    assert row(table, "nestrec-alone")[5] == "0.2390  "
    assert row(table, "popularity")[1:6] == ("0.0610 ▼",) * 5
    assert not any("▲" in cell or "▼" in cell for cell in row(table, "nestrec"))


def test_a_corrected_p_value_at_the_level_is_not_significant() -> None:
    found = comparison("nestrec", "ease")
    cell = found.models[1].cells[0]
    unsure = replace(cell, differences=tuple(replace(one, corrected_p_value=0.05) for one in cell.differences))
    found = replace(found, models=(found.models[0], replace(found.models[1], cells=(unsure,))))
    assert row(metric_table(ComparisonView(found), "ndcg@20"), "ease")[1] == "0.2390  "


def test_costs_are_sums_over_widths() -> None:
    alone = row(cost_table(view()), "nestrec-alone")
    assert alone[2:4] == ("15.9 s", "4.2 s")
    assert alone[5] == "50"
    assert row(cost_table(view()), "puresvd")[2:6] == ("0.8 s", "0.8 s", "9.6 s", "10")


def test_the_best_other_model_may_be_another_at_each_width() -> None:
    rows = best_table(view("nestrec", "itemknn-bm25", "ials"), "ndcg@20").rows
    assert [cells[3] for cells in rows] == ["itemknn-bm25"] * 4 + ["ials"]
    assert rows[-1][4] == "+0.0040"


def test_there_is_a_table_a_metric_and_cutoff() -> None:
    titles = [str(table.title).split()[0] for table in comparison_tables(view())]
    assert titles[:2] == ["ndcg@20", "recall@20"]


def test_a_model_that_failed_is_a_dash_and_its_error_is_reported() -> None:
    found = with_failure("lightgcn")
    assert row(metric_table(ComparisonView(found), "ndcg@20"), "lightgcn")[1:] == ("–  ",) * 5 + ("–", "–")
    assert row(cost_table(ComparisonView(found)), "lightgcn")[2:4] == ("–", "–")
    assert "lightgcn failed at every width: memory ran out" in conclusion(ComparisonView(found))


def test_a_model_that_failed_at_one_width_keeps_the_others() -> None:
    found = with_failure("ials", 64)
    assert row(metric_table(ComparisonView(found), "ndcg@20"), "ials")[4:6] == ("0.2196 ▼", "–  ")
    assert "ials failed at width 64: memory ran out" in conclusion(ComparisonView(found))


def test_without_results_of_nestrec_nothing_is_claimed() -> None:
    assert conclusion(ComparisonView(with_failure("nestrec")))[0].startswith("ndcg@20: no comparison")


def test_significantly_better_everywhere_is_one_sentence() -> None:
    assert conclusion(view("nestrec", "popularity", "puresvd"))[0] == (
        "ndcg@20: nestrec is significantly better than all 2 other models at all 5 widths (p <0.001)."
    )


def test_models_that_are_better_are_listed_first_with_widths() -> None:
    first, second, third, *_ = conclusion(view("nestrec", "ease", "popularity"))
    assert first == (
        "ndcg@20: compared with 2 other models at 5 widths, nestrec is significantly better in 5 of 10 comparisons and "
        "significantly worse in 4; 1 is not significant."
    )
    assert second == "Significantly better than nestrec: ease at widths 4, 8, 16, 32."
    assert third == "Not significantly different from nestrec: ease at width 64."


def test_times_and_skipped_models_are_reported() -> None:
    found = replace(comparison("nestrec", "ease", "popularity"), skipped={"lightgcn": "needs torch"})
    assert conclusion(ComparisonView(found))[-3:-1] == (
        "Training time for all widths: nestrec 9 s, the other models between <0.001 s (popularity) and 1.9 s (ease).",
        "Skipped: lightgcn; it needs torch.",
    )


def test_the_method_states_the_protocol() -> None:
    text = " ".join(describe_method(view()))
    for part in (
        "6,038 users",
        "10 fits per width",
        "seeds 0, 1, 2",
        "Holm",
        "nestrec was not tuned",
        "random 10% of the",
    ):
        assert part in text


def test_differences_are_listed_for_every_model_and_width() -> None:
    table = differences_table(view(), "ndcg@20")
    assert len(table.rows) == len(MODELS) * len(WIDTHS)
    assert table.rows[5] == (
        *("popularity", "4", "0.0610", "0.0560 to 0.0660"),
        *("+0.1070", "+0.1030 to +0.1110", "<0.001", "▼ worse"),
    )


def test_fits_and_options_are_listed() -> None:
    found = view("nestrec", "ease")
    assert len(seeds_table(found).rows) == 3 * (len(WIDTHS) + 1)
    assert row(options_table(found), "ease")[1:4] == ("any", "regularization 0.01235, n_epochs 30", "10")


def test_bands_have_a_row_each_and_a_model_without_figures_dashes() -> None:
    rows = bands_table(ComparisonView(with_failure("lightgcn")), "ndcg@20").rows
    assert [cells[1] for cells in rows if cells[0] == "ease"] == ["head", "middle", "tail"]
    assert rows[0][-1] == "0.3360"
    assert next(cells for cells in rows if cells[0] == "lightgcn")[2:] == ("–",) * 5


def test_the_method_says_which_models_are_of_one_fit() -> None:
    found = comparison("nestrec", "puresvd")
    cut = replace(found.models[1], name="nestrec-alone-cut")
    text = " ".join(describe_method(ComparisonView(replace(found, models=(found.models[0], cut)))))
    assert "nestrec-alone-cut is computed from the fit of nestrec-alone at width 64" in text
    assert "is computed from" not in " ".join(describe_method(view()))


def test_the_method_names_the_sizes_of_the_bands() -> None:
    text = " ".join(describe_method(view()))
    assert "tail 3,306 items with 67,000 test interactions of 5,500 users" in text
