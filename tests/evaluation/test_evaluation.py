"""Results of an evaluation are shown short."""

from __future__ import annotations

from nestrec import SyntheticData, Trainer, evaluate


def test_a_width_is_shown_by_its_means() -> None:
    interactions = SyntheticData(n_users=60, n_items=160).generate(seed=0).interactions
    model = Trainer(widths=(4, 8), epochs=1).fit(interactions, validation=None)
    held_out = SyntheticData(n_users=60, n_items=160).generate(seed=1).interactions
    figures = evaluate(model, held_out, cutoffs=5, metrics=("recall", "ndcg")).at(4)
    recall, ndcg = figures.means["recall@5"], figures.means["ndcg@5"]
    assert repr(figures) == f"<WidthEvaluation: width 4, recall@5 {recall:.4f}, ndcg@5 {ndcg:.4f}>"
