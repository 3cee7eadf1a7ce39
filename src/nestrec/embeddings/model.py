"""Trained nested embeddings: recommend, find similar ids, score, truncate, save and load.

A model holds user and item embeddings, widths, ids and the interactions seen in training. Scores are raw inner products
of prefixes: a prefix is never normalized, since its norm carries popularity. Only similarity (cosine) is.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, replace
from os import PathLike

import numpy as np
import numpy.typing as npt

from nestrec.arguments import check_keywords
from nestrec.artefact.manifest import MANIFEST
from nestrec.artefact.model import StoredModel, read_model, write_model
from nestrec.atomic.workspace import temporary_folder
from nestrec.data.interactions import Interactions
from nestrec.embeddings.display import DisplayMethods
from nestrec.embeddings.folding_in import FoldInMethods
from nestrec.embeddings.parts import restore_coarse_index, sort_by_id
from nestrec.embeddings.recommending import RecommendMethods
from nestrec.embeddings.updating import UpdateMethods
from nestrec.embeddings.vectors import VectorMethods
from nestrec.errors import DataError, DataWarning, ModelFileError
from nestrec.hub.card import format_card, remove_local_details
from nestrec.hub.repository import CARD, download, upload
from nestrec.item_table.item_table import ItemTable
from nestrec.tabular import Tabular
from nestrec.widths import Widths


@dataclass(frozen=True, eq=False, repr=False)
class NestedEmbeddings(RecommendMethods, FoldInMethods, VectorMethods, UpdateMethods, DisplayMethods):
    """User and item embeddings whose prefix of every trained width is a recommender.

    Raises DataError where shapes do not fit or a number is not finite. The arrays are kept, not copied.

    >>> import nestrec
    >>> model = nestrec.NestedEmbeddings.from_arrays(
    ...     user_embeddings=[[1.0, 0.0], [0.0, 1.0]],
    ...     item_embeddings=[[3.0, 0.0], [2.0, 1.0], [0.0, 2.0]],
    ...     widths=[1, 2],
    ...     users=["ann", "bob"],
    ...     items=["jam", "tea", "rye"],
    ... )
    >>> ids, scores = model.recommend("bob", k=2)
    >>> ids.tolist(), scores.tolist()
    (['rye', 'tea'], [2.0, 1.0])
    >>> model.at(1)
    <NestedEmbeddings: 2 users, 3 items, widths 1>
    """

    @classmethod
    @check_keywords
    def from_arrays(
        cls,
        user_embeddings: npt.ArrayLike,  # (n_users, embedding_size)
        item_embeddings: npt.ArrayLike,  # (n_items, embedding_size)
        widths: Iterable[int] | int,
        *,
        users: npt.ArrayLike | None = None,  # (n_users,) ids, one a row; None: 0, 1, 2, …
        items: npt.ArrayLike | None = None,  # (n_items,)
    ) -> NestedEmbeddings:
        """Build a model from vectors made elsewhere; nothing counts as seen. Raises DataError for a repeated id."""
        user_rows, user_vocabulary = sort_by_id("user", user_embeddings, users)
        item_rows, item_vocabulary = sort_by_id("item", item_embeddings, items)
        indptr = np.zeros(len(user_vocabulary) + 1, dtype=np.int64)
        seen = Interactions(user_vocabulary, item_vocabulary, indptr, np.zeros(0, dtype=np.int32))
        return cls(user_rows, item_rows, Widths(widths), user_vocabulary, item_vocabulary, seen)

    @check_keywords
    def with_item_table(
        self,
        table: object,
        *,
        id_column: str | int | None = None,
        title_column: str | int | None = None,
        list_separator: str = "|",
        delimiter: str | None = None,
        encoding: str | None = None,
        header: bool | None = None,
    ) -> NestedEmbeddings:
        """Return the same model with an item table: titles in its results, and columns for `where`.

        Items without a row have no values; rows of other ids are left out and counted in `item_table.description`, as
        are those that repeat an id; if most do, DataWarning is issued. None in place of a table removes it.

        Args:
            table: a path of a file of any format that can be read, a table (pandas, polars, pyarrow, duckdb), or a
                dictionary of columns.
            id_column: name or position from 1 of the column of item ids; None finds it by its name and contents.
            title_column: name or position of the column of titles; None finds it by its name.
            list_separator: cells such as `Comedy|Drama` become lists; empty text keeps them as text.
            delimiter: of delimited text; None detects it, as with the two below.
            encoding: of text, such as `latin-1`.
            header: whether the first row names the columns.

        """
        if table is None:
            return replace(self, item_table=None, check=False)
        from nestrec.item_table.build import ItemTableOptions, build_item_table
        from nestrec.item_table.sources import TextLayout

        options = ItemTableOptions(id_column, title_column, list_separator, TextLayout(delimiter, encoding, header))
        built = ItemTable(self.items, *build_item_table(table, self.items, options))
        if built.description.warning is not None:
            warnings.warn(built.description.warning, DataWarning, stacklevel=3)
        return replace(self, item_table=built, check=False)

    @check_keywords
    def save(self, path: str | PathLike[str], *, overwrite: bool = False) -> None:
        """Write the model to a directory atomically: a reader sees the old model or the new one.

        Raises OptionError where the path holds a model and `overwrite` is False, ModelFileError where it holds
        something else or cannot be written.
        """
        index = {} if self.coarse_index is None else self.coarse_index.arrays()
        stored = StoredModel(
            self.user_embeddings, self.item_embeddings, self.widths, self.users, self.items, self.seen, self.manifest,
            index, self.item_table,
        )  # fmt: skip
        write_model(path, stored, overwrite=overwrite)

    @classmethod
    @check_keywords
    def load(
        cls,
        path: str | PathLike[str],
        *,
        verify: bool | None = None,
        search_config: bool = True,
        item_table: bool = True,
    ) -> NestedEmbeddings:
        """Open a saved model; its arrays are views of the files, shared with other processes that open it.

        The manifest, the structure of the files and their sizes are always checked. `verify`: True checks all contents
        against their checksums, False none, None those of files up to 256 MiB and samples of larger ones.
        `search_config`: False ignores a saved search config and its coarse index, even if damaged; `item_table`: False
        likewise the item table. Raises ModelFileError for what is not a complete model of this version.
        """
        stored = read_model(path, verify=verify, coarse_index=search_config, item_table=item_table)
        try:
            model = cls(
                stored.user_embeddings, stored.item_embeddings, stored.widths, stored.users, stored.items, stored.seen,
                stored.manifest, check=False, item_table=stored.item_table,
            )  # fmt: skip
        except (DataError, TypeError, ValueError) as error:
            raise ModelFileError(f"the files of {path} do not fit each other ({error}); train it again") from error
        if not search_config:
            return model.with_search_config(None, None)
        index = restore_coarse_index(path, stored, model.search_config)
        return model if index is None else replace(model, coarse_index=index, check=False)

    @check_keywords
    def push_to_hub(
        self,
        repo: str,
        *,
        private: bool = True,
        licence: str | None = None,
        evaluation: Tabular | None = None,
        revision: str | None = None,
        token: str | None = None,
        message: str = "Upload a model of nestrec",
    ) -> str:
        """Upload the model and a generated card to a repository of the Hugging Face Hub; return the commit's address.

        The files hold the ids of all users and what each has seen, so a repository that is made is private by default.
        The path of the training data and examples of rejected rows are left out.

        Args:
            repo: owner/name; made if there is none.
            private: whether a repository that is made is private.
            licence: identifier of the Hub for the card, such as "apache-2.0".
            evaluation: result of `nestrec.evaluate`, whose metrics the card shows beside those of the validation part.
            revision: branch; None is main.
            token: None is the one you logged in with (`hf auth login`).
            message: of the commit.

        Raises MissingExtraError without the extra `hub`, HubError where the Hub refuses or cannot be reached.

        """
        with temporary_folder() as folder:
            replace(self, manifest=remove_local_details(self.manifest), check=False).save(folder / "model")
            manifest = json.loads((folder / "model" / MANIFEST).read_bytes())
            card = format_card(repo, manifest, licence=licence, evaluation=evaluation)
            (folder / "model" / CARD).write_text(card, encoding="utf-8")
            return upload(
                folder / "model", repo, private=private, revision=revision, token=token, message=message
            )  # fmt: skip

    @classmethod
    @check_keywords
    def from_pretrained(
        cls,
        repo: str,
        *,
        revision: str | None = None,
        token: str | None = None,
        cache_dir: str | PathLike[str] | None = None,
        verify: bool | None = None,
        search_config: bool = True,
    ) -> NestedEmbeddings:
        """Load a model from a repository of the Hugging Face Hub; its files are kept in the Hub's cache.

        Only the files of a model are fetched, all of one commit, and checked as `load` does; none of them can hold
        code. `revision`: a branch, a tag or, to have the same model for ever, a commit. `verify`, `search_config`: see
        `load`. Raises MissingExtraError without the extra `hub`, HubError where the model cannot be fetched,
        ModelFileError where it is none.
        """
        folder = download(repo, revision=revision, token=token, cache_dir=cache_dir, coarse_index=search_config)
        return cls.load(folder, verify=verify, search_config=search_config)
