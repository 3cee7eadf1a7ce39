"""Stores: a model written to vector stores and kept up to date there, and searched in two stages through one interface.

>>> import nestrec
>>> from nestrec.stores import export, open_store
>>> vectors = [[2.0, 1.0], [3.0, 1.0]]
>>> model = nestrec.NestedEmbeddings.from_arrays([[1.0, 0.0]], vectors, widths=[1, 2], items=["jam", "tea"])
>>> store = open_store(getfixture("tmp_path") / "shop", "duckdb")
>>> export(model, store).sides[0].n_new
2
>>> store.search(model.user_embeddings, k=1).ids.tolist()
[['tea']]
"""

from nestrec.stores.exporting import ExportReport, ExportRequest, export
from nestrec.stores.registry import open_store
from nestrec.stores.store import Answer, Rows, Store, StoredRows, Target
from nestrec.stores.verifying import VerifyReport, verify

__all__ = [
    "Answer",
    "ExportReport",
    "ExportRequest",
    "Rows",
    "Store",
    "StoredRows",
    "Target",
    "VerifyReport",
    "export",
    "open_store",
    "verify",
]
