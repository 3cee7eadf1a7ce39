"""Rotations keep inner products and make prefixes the truncated singular value decomposition of the scores."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nestrec.svd_rotation import rotate_embeddings, svd_rotation

Matrix = npt.NDArray[np.float32]
SIZE = 16


def vectors(n: int, size: int, seed: int) -> Matrix:
    return np.random.default_rng(seed).normal(size=(n, size)).astype(np.float32)


def test_prefixes_become_the_best_truncations_and_the_full_width_stays() -> None:
    """Against numpy's SVD of the whole matrix of scores."""
    users, items = vectors(40, 6, 0) * np.array([1, 5, 0.2, 3, 1, 2], dtype=np.float32), vectors(30, 6, 1)
    scores = users.astype(float) @ items.T
    left, values, right = np.linalg.svd(scores)
    new_users, new_items = rotate_embeddings(users, items)
    assert new_users.dtype == new_items.dtype == np.float32
    for width in range(1, 7):
        best = left[:, :width] * values[:width] @ right[:width]
        np.testing.assert_allclose(new_users[:, :width] @ new_items[:, :width].T, best, atol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(new_users, axis=0), np.linalg.norm(new_items, axis=0), rtol=1e-4)


def test_directions_that_nobody_uses_become_zeros() -> None:
    """Collapsed coordinates, on one side or both, and a model of zeros: no NaN, the same scores."""
    users, items = vectors(40, 5, 0), vectors(30, 5, 1)
    users[:, 3] = items[:, 4] = 0
    new_users, new_items = rotate_embeddings(users, items)
    np.testing.assert_allclose(new_users @ new_items.T, users @ items.T, atol=1e-4)
    assert np.abs(new_users[:, 3:]).max() < 1e-3
    nothing = np.zeros_like(users)
    assert not rotate_embeddings(nothing, items)[0].any()


def test_an_invertible_rotation_keeps_products_and_concentrates_them_in_the_first_dimensions() -> None:
    rng = np.random.default_rng(0)
    mix = rng.normal(size=(SIZE, SIZE)) * np.arange(1, SIZE + 1) ** -1.0
    queries, items = rng.normal(size=(300, SIZE)) @ mix.T, rng.normal(size=(500, SIZE)) @ mix.T
    rotation = svd_rotation(queries.astype(np.float32), items.astype(np.float32), invertible=True)
    queries_after, items_after = queries @ rotation.of_queries, items @ rotation.of_items
    np.testing.assert_allclose(queries_after @ items_after.T, queries @ items.T, atol=1e-9)
    first, own = (
        (a[:, :4] @ b[:, :4].T - queries @ items.T).std() for a, b in ((queries_after, items_after), (queries, items))
    )
    assert first < 0.3 * own


def test_the_rotation_is_the_truncated_singular_value_decomposition() -> None:
    rng = np.random.default_rng(1)
    queries, items = rng.normal(size=(80, 10)).astype(np.float32), rng.normal(size=(90, 10)).astype(np.float32)
    rotation = svd_rotation(queries, items, invertible=True)
    scores = queries.astype(np.float64) @ items.astype(np.float64).T
    left, values, right = np.linalg.svd(scores, full_matrices=False)
    best = (left[:, :3] * values[:3]) @ right[:3]
    found = (queries @ rotation.of_queries)[:, :3] @ (items @ rotation.of_items)[:, :3].T
    np.testing.assert_allclose(found, best, atol=1e-3)


def test_rotating_keeps_products_where_vectors_are_short_of_rank_or_rows() -> None:
    rng = np.random.default_rng(0)
    thin = (rng.normal(size=(30, 2)) @ rng.normal(size=(2, 6))).astype(np.float32)
    few = rng.normal(size=(4, 6)).astype(np.float32)
    for users, items in ((thin, thin), (thin, few), (few, thin), (np.zeros_like(few), few)):
        new_users, new_items = rotate_embeddings(users, items)
        assert new_users.shape == users.shape
        assert new_items.shape == items.shape
        np.testing.assert_allclose(new_users @ new_items.T, users @ items.T, atol=1e-4)
