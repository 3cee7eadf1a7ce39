"""Choose a width: the narrowest one that keeps the quality you need, with paired differences.

    python examples/choose_a_width.py [INTERACTIONS]

INTERACTIONS is any file that `nestrec train` reads. Without one, synthetic data are used.
"""

# %% Data: choose on a validation part, so that the test part is left for the final report
import sys

from nestrec import RandomSplit, SyntheticData, Trainer, evaluate, read_interactions
from nestrec.evaluation import paired_difference

METRIC, KEEP = "ndcg@20", 0.95

if len(sys.argv) > 1:
    interactions = read_interactions(sys.argv[1])
else:
    interactions = SyntheticData(n_users=600, n_items=300, interactions_per_user=20).generate(seed=0).interactions
train, held_out = RandomSplit(fraction=0.2, seed=0).split(interactions)
validation, test = RandomSplit(fraction=0.5, seed=0).split(held_out)

# %% Train once
widths = (4, 8, 16, 32)
model = Trainer(widths=widths, epochs=20).fit(train, validation=None)

# %% Quality and memory of each width
found = evaluate(model, validation, cutoffs=(20,))
full = found.at(widths[-1])
print(f"width  bytes/item  {METRIC}  share of {widths[-1]}")
for row in found.widths:
    share = row.means[METRIC] / full.means[METRIC]
    print(f"{row.width:5}  {4 * row.width:10}  {row.means[METRIC]:7.4f}  {share:.1%}")

# %% The narrowest width that keeps 95%, and how certain the difference is
chosen = next(row for row in found.widths if row.means[METRIC] >= KEEP * full.means[METRIC])
difference = paired_difference(chosen.of_users(METRIC), full.of_users(METRIC))
interval = f"[{difference.low:+.4f}, {difference.high:+.4f}]"
print(f"width {chosen.width} minus {full.width}: {difference.mean:+.4f} {interval}")

# %% Truncate to it and report on the test part, once
narrow = model.at(chosen.width)
narrow.save("chosen-model", overwrite=True)
print(f"{METRIC} on the test part: {evaluate(narrow, test, cutoffs=(20,)).at(chosen.width).means[METRIC]:.4f}")
