"""The card of a model, its README.md on the Hub: metrics by width, data, training, licence, how to load it.

Cards are described in https://huggingface.co/docs/hub/model-cards.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any

from nestrec.tabular import Tabular

_TAGS = ("recommender-system", "collaborative-filtering", "embeddings", "matryoshka")
_CHOICES = ("loss", "sampler", "backbone", "engine", "epochs", "learning_rate", "regularization", "seed")  # shown


def format_card(
    repo: str, manifest: Mapping[str, Any], *, licence: str | None = None, evaluation: Tabular | None = None
) -> str:
    """Return the card as Markdown with metadata in front.

    `manifest` is that of the saved model. `evaluation`, as `nestrec.evaluate` returns it, adds metrics on test data to
    those on the validation part.
    """
    return "\n".join(
        [
            *_format_metadata(licence),
            f"# {repo.rpartition('/')[2]}",
            "",
            _introduce(manifest),
            "",
            *_format_usage(repo, manifest),
            *_format_validation(manifest.get("training") or {}),
            *_format_evaluation(evaluation),
            *_format_data(manifest),
            *_format_training(manifest.get("training") or {}),
            *_format_licence(licence),
        ]
    )


def remove_local_details(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return a manifest without what is of one machine or one row: the path of the data, and examples of bad rows.

    >>> remove_local_details({"data": {"report": {"source": "/home/ann/a.csv", "examples": {"no user": ["line 3"]}}}})
    {'data': {'report': {'source': 'a.csv', 'examples': {}}}}
    """
    data = manifest.get("data") or {}
    if not data.get("report"):
        return dict(manifest)
    report = {**data["report"], "source": PurePath(str(data["report"].get("source", ""))).name, "examples": {}}
    return {**manifest, "data": {**data, "report": report}}


def _format_metadata(licence: str | None) -> Iterator[str]:
    """Yield YAML; JSON strings are YAML strings, so that no value can break out of its line."""
    yield "---"
    yield "library_name: nestrec"
    if licence is not None:
        yield f"license: {json.dumps(licence)}"
    yield f"tags: {json.dumps(list(_TAGS))}"
    yield "---\n"


def _introduce(manifest: Mapping[str, Any]) -> str:
    widths = ", ".join(map(str, manifest["widths"]))
    return (
        f"Nested recommender embeddings: vectors of {manifest['n_users']:,} users and {manifest['n_items']:,} items "
        f"whose first {widths} dimensions each make recommendations of their own."
    )


def _format_usage(repo: str, manifest: Mapping[str, Any]) -> Iterator[str]:
    width = manifest["widths"][0]
    yield '```sh\npip install "nestrec[hub]"\n```\n'
    yield "```python"
    yield "import nestrec\n"
    yield f"model = nestrec.NestedEmbeddings.from_pretrained({json.dumps(repo)})"
    yield "ids, scores = model.recommend(model.users.ids[0], k=10)"
    yield f"ids, vectors = model.item_vectors(width={width})"
    yield "```\n"


def _format_validation(training: Mapping[str, Any]) -> Iterator[str]:
    chosen = training.get("validation_metrics")
    if not chosen:
        return
    by_width: Mapping[str, Mapping[str, float]] = chosen["metrics"]
    labels = list(next(iter(by_width.values())))
    rows = [(width, *(f"{values[label]:.4f}" for label in labels)) for width, values in by_width.items()]
    yield "## Metrics on the validation part\n"
    yield from _format_rows(("width", *labels), rows)
    yield "The validation part chose the epoch, so these are optimistic.\n"


def _format_evaluation(evaluation: Tabular | None) -> Iterator[str]:
    if evaluation is None:
        return
    columns = evaluation.as_columns()
    found = dict(zip(zip(columns["width"], columns["metric"], strict=True), columns["value"], strict=True))
    labels, widths = dict.fromkeys(columns["metric"]), dict.fromkeys(columns["width"])
    yield "## Metrics on test data\n"
    yield from _format_rows(
        ("width", *labels), [(str(width), *(f"{found[width, label]:.4f}" for label in labels)) for width in widths]
    )


def _format_data(manifest: Mapping[str, Any]) -> Iterator[str]:
    yield "## Data\n"
    yield (
        f"{manifest['n_interactions']:,} interactions. **The files hold the ids of all users and items, and which "
        "items each user interacted with**: `recommend` leaves those out.\n"
    )
    data = manifest.get("data") or {}
    report = data.get("report") or {}
    if report:
        yield f"- rows read: {report['n_rows']:,}; interactions kept: {report['n_kept']:,}"
    for reason, count in (report.get("rejected") or {}).items():
        if count:
            yield f"- rows left out, {_escape(str(reason))}: {count:,}"
    fingerprint = data.get("fingerprint")
    if fingerprint is not None:
        yield f"\nFingerprint (SHA-256 of ids and pairs): `{fingerprint}`\n"


def _format_training(training: Mapping[str, Any]) -> Iterator[str]:
    options = training.get("options")
    if not options:
        return
    yield "## Training\n"
    shown = [(name, _escape(_format_option(options[name]))) for name in _CHOICES if name in options]
    yield from _format_rows(("option", "value"), shown)
    yield f"{training['epochs']} epochs in {training['seconds']:.1f} s.\n"


def _format_licence(licence: str | None) -> Iterator[str]:
    yield "## Licence\n"
    yield _escape(licence) if licence is not None else "None is stated. The licence of the training data applies too."
    yield ""


def _format_rows(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    for row in (headers, ["---"] * len(headers), *rows):
        yield f"| {' | '.join(row)} |"
    yield ""


def _format_option(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_format_option, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _escape(text: str) -> str:
    """Return text that Markdown shows as it is, in one line."""
    plain = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;")
    return "".join(f"\\{letter}" if letter in "\\`*_[]|#" else letter for letter in plain)
