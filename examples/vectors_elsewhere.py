"""Bring vectors elsewhere: the same top items from NumPy, from Parquet in DuckDB, and from FAISS.

    python examples/vectors_elsewhere.py [INTERACTIONS]

INTERACTIONS is any file that `nestrec train` reads. Without one, synthetic data are used. The last cell needs FAISS.
"""

# %% A model, a user, and what nestrec recommends at width 16
import sys

import duckdb
import numpy as np

from nestrec import SyntheticData, Trainer, read_interactions

WIDTH, K = 16, 10

if len(sys.argv) > 1:
    interactions = read_interactions(sys.argv[1])
else:
    interactions = SyntheticData(n_users=400, n_items=300).generate(seed=0).interactions
model = Trainer(widths=(4, 8, WIDTH), epochs=10).fit(interactions, validation=None)

user = model.users.ids[0]
expected = [str(item) for item in model.recommend(user, k=K, width=WIDTH, exclude_seen=False).ids]
print(f"nestrec: {expected[:3]} …")

# %% NumPy: a matrix, the ids of its rows, inner products
items = np.ascontiguousarray(model.item_embeddings[:, :WIDTH])
ids = np.array([str(item) for item in model.items.ids.tolist()])  # fixed-width text, which every NumPy can load
query = np.ascontiguousarray(model.user_embeddings[model.users.index_of(user), :WIDTH])
np.savez("items.npz", vectors=items, ids=ids)

stored = np.load("items.npz")
top = np.argsort(-(stored["vectors"] @ query), kind="stable")[:K]
assert stored["ids"][top].tolist() == expected

# %% Parquet: one row per item, which DuckDB, Spark, pandas and most stores read
names, vectors = ids.tolist(), items.tolist()
duckdb.execute(
    "copy (select unnest(?::varchar[]) as id, unnest(?::float[][]) as vector) to 'items.parquet' (format parquet)",
    [names, vectors],
)
rows = duckdb.execute(
    f"select id from 'items.parquet' order by list_inner_product(vector, ?::float[]) desc, id limit {K}",
    [query.tolist()],
).fetchall()
assert [row[0] for row in rows] == expected

# %% FAISS: an index with inner products; never normalize the vectors
try:
    import faiss
except ImportError:
    sys.exit("FAISS is not installed; skipped (pip install faiss-cpu)")
index = faiss.IndexFlatIP(WIDTH)
index.add(items)
_, found = index.search(query[None, :], K)
assert ids[found[0]].tolist() == expected
print("NumPy, Parquet in DuckDB and FAISS agree with nestrec.")
