"""The SQL for pgvector in a second PostgreSQL: PGlite, with its own build of pgvector, in node.

It runs where node is there and the environment variable NESTREC_PGLITE names a folder in which
`npm install @electric-sql/pglite @electric-sql/pglite-pgvector` was run.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nestrec.stores.layout import describe_layout
from nestrec.stores.metadata import OperatingPoint
from nestrec.stores.pgvector_schema import create_tables_sql, index_sql
from nestrec.stores.pgvector_sql import function_sql
from tests.stores.engines import model_of, with_titles

FOLDER = os.environ.get("NESTREC_PGLITE", "")
PROGRAM = """
import { PGlite } from "@electric-sql/pglite";
import { vector } from "@electric-sql/pglite-pgvector";
import fs from "fs";
const database = await PGlite.create({ extensions: { vector } });
const { statements, queries } = JSON.parse(fs.readFileSync(0, "utf8"));
for (const statement of statements) await database.exec(statement);
const answers = [];
for (const query of queries) answers.push((await database.query(query)).rows);
console.log(JSON.stringify(answers));
process.exit(0);
"""


def run(statements: list[str], queries: list[str]) -> list[list[dict[str, Any]]]:
    words = ["node", "--input-type=module", "--eval", PROGRAM]
    request = json.dumps({"statements": statements, "queries": queries})
    done = subprocess.run(words, input=request, cwd=Path(FOLDER), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answers: list[list[dict[str, Any]]] = json.loads(done.stdout)
    return answers


@pytest.mark.skipif(not FOLDER or shutil.which("node") is None, reason="NESTREC_PGLITE names no folder of PGlite")
@pytest.mark.parametrize("index_type", ["vector", "halfvec"])
def test_the_functions_recommend_in_pglite(index_type: Any) -> None:
    """With a shortlist of all items, the lists are those of the model."""
    model = with_titles(model_of(300))
    layout = describe_layout(model, ("items", "users"), (2, 8), None)
    statements = ["CREATE EXTENSION vector", "CREATE SCHEMA nestrec", *create_tables_sql("nestrec", layout)]
    for row, vector in enumerate(model.item_embeddings.tolist()):
        statements.append(
            f"INSERT INTO nestrec.items (id, vector, fingerprint, title) VALUES ({row}, '{vector}', 0, 't')"
        )
    indptr, users = model.seen.indptr.tolist(), model.users.ids.tolist()
    for row, (user, vector) in enumerate(zip(users, model.user_embeddings.tolist(), strict=True)):
        statements.append(f"INSERT INTO nestrec.users VALUES ('{user}', '{vector}', 0)")
        seen = model.seen.indices[indptr[row] : indptr[row + 1]].tolist()
        statements.append(
            f"INSERT INTO nestrec.seen SELECT '{user}', unnest('{{{', '.join(map(str, seen))}}}'::int8[])"
        )
    point = OperatingPoint(1.0, (2, 8), 300, 1.0, 10, 30)
    statements += index_sql("nestrec", layout, index_type, 16, 64)
    statements += ["SELECT '[0]'::vector", *function_sql("nestrec", "public", layout, (point,), index_type, None)]
    found = run(statements, [f"SELECT id, title, score FROM nestrec.recommend('{user}')" for user in users[:5]])
    expected = model.recommend(users[:5], k=10, exact=True)
    assert [[one["id"] for one in rows] for rows in found] == expected.ids.tolist()
    np.testing.assert_allclose([[one["score"] for one in rows] for rows in found], expected.scores, rtol=1e-5)
