"""MovieLens quick start: from ratings to recommendations.

    python examples/movielens.py [RATINGS]

RATINGS is a file with users, items and ratings, such as ratings.csv of MovieLens (`nestrec datasets`). Without one,
synthetic data are used.
"""

# %% Read: every rating of 3.5 and more is an interaction
import sys

from nestrec import NestedEmbeddings, RandomSplit, ReadOptions, SyntheticData, Trainer, evaluate, read_interactions

if len(sys.argv) > 1:
    interactions = read_interactions(sys.argv[1], options=ReadOptions(min_rating=3.5))
    if interactions.report:
        print("\n".join(interactions.report.lines()))
else:
    interactions = SyntheticData(n_users=600, n_items=300, interactions_per_user=20).generate(seed=0).interactions
print(f"{interactions.n_users} users, {interactions.n_items} items, {interactions.n_interactions} interactions")

# %% Hold out a fifth of each user's interactions for testing
train, test = RandomSplit(fraction=0.2, seed=0).split(interactions)

# %% Train one model for all widths; the number of epochs is chosen on a validation part of `train`
model = Trainer(widths=(4, 8, 16, 32)).fit(train)

# %% Evaluate every width by full ranking
for row in evaluate(model, test, cutoffs=(20,)).widths:
    print(f"width {row.width:2}: recall@20 {row.means['recall@20']:.4f}, ndcg@20 {row.means['ndcg@20']:.4f}")

# %% Recommend at any width; items of the training data are masked
user = model.users.ids[0]
ids, scores = model.recommend(user, k=5, width=16)
print(f"for user {user}: {', '.join(map(str, ids))}")

# %% Find items like another
item = ids[0]
neighbours, cosines = model.similar_items(item, k=5)
print(f"like {item}: {', '.join(map(str, neighbours))}")

# %% Save, and load again memory-mapped
model.save("movielens-model", overwrite=True)
loaded = NestedEmbeddings.load("movielens-model")
assert (loaded.recommend(user, k=5, width=16).ids == ids).all()
