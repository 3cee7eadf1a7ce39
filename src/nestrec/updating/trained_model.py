"""The trainer of a model, restored from its manifest, so that an update trains as the model was trained."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from nestrec.embeddings import NestedEmbeddings
from nestrec.errors import NestrecError, TrainingError
from nestrec.training.backbones import BACKBONES, MF
from nestrec.training.losses import LOSSES
from nestrec.training.registry import CPU_ENGINE, list_classes
from nestrec.training.regularization_search import STEP, Trial, best_multiples
from nestrec.training.samplers import SAMPLERS
from nestrec.training.setup import TrainingSetup
from nestrec.training.trainer import Trainer
from nestrec.widths import Widths

_BUILT_IN: dict[str, Mapping[str, Any]] = {"backbone": BACKBONES, "loss": LOSSES, "sampler": SAMPLERS}


@dataclass(frozen=True)
class TrainedBy:
    """How a model was trained."""

    trainer: Trainer  # without a regularization where that of the rule was used
    multiples: tuple[float, ...]  # of the rule's regularization, for each level
    rotated: bool

    def resolve(self, interactions: Any) -> TrainingSetup:
        """Return the setup for other interactions, by the same rules."""
        return self.trainer.resolve(interactions).scale_regularization(self.multiples)


def read_trainer(model: NestedEmbeddings) -> TrainedBy:
    """Return how the model was trained; raise TrainingError where it cannot be trained further."""
    training = model.manifest.get("training")
    if not isinstance(training, Mapping) or not isinstance(training.get("options"), Mapping):
        raise TrainingError(_refuse(f"one without training options{_describe_origin(model.manifest)}"))
    try:
        options, by_rule = training["options"], training["regularization_by_rule"] is True
        given = {} if by_rule else {"regularization": tuple(options["regularization"])}
        trainer = _make_trainer(options, **given)
        multiples = best_multiples([_read_trial(trial) for trial in training["tuning"]], len(options["widths"]))
    except (LookupError, TypeError, ValueError, SyntaxError, NestrecError) as error:
        raise TrainingError(_refuse(f"one whose training options cannot be restored ({error})")) from error
    _check_kind(trainer, model)
    return TrainedBy(trainer, multiples, training.get("rotated") is True)


def _make_trainer(options: Mapping[str, Any], **further: Any) -> Trainer:
    """Return the trainer of the options in a manifest; without `further`, the regularization is that of the rule."""
    method = {kind: _parse_object(kind, options[kind]) for kind in ("backbone", "loss", "sampler")}
    same = (
        "widths", "level_weights", "level_starts", "regularize_whole", "starting_scale", "epochs", "learning_rate",
        "final_learning_rate", "rotate", "metric", "evaluate_every", "patience",
    )  # fmt: skip
    return Trainer(**method, engine=options["engine"], **{name: options[name] for name in same}, **further)


def _parse_object(kind: str, text: str) -> Any:
    """Return the object that a repr such as PoolSampler(n_candidates=None) describes, of a class in the registry."""
    call = ast.parse(text, mode="eval").body
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call.args:
        raise ValueError(f"{kind} must be a class with named values, got {text}")
    values = {word.arg or "**": ast.literal_eval(word.value) for word in call.keywords}
    classes = _by_class_name(_BUILT_IN[kind])
    if call.func.id not in classes:  # looking plug-ins up takes some tenths of a second
        classes = _by_class_name(list_classes(kind))
    if call.func.id not in classes:
        raise ValueError(f"{kind} must be one of {', '.join(classes)}, got {text}")
    return classes[call.func.id](**values)


def _by_class_name(made: Mapping[str, Any]) -> dict[str, Any]:
    classes = (getattr(one, "func", one) for one in made.values())
    return {of.__name__: of for of in classes}


def _read_trial(trial: Mapping[str, Any]) -> Trial:
    steps = np.log(trial["regularization_multiples"]) / np.log(STEP)
    return Trial(tuple(map(round, steps.tolist())), tuple(trial["values"]))


def _check_kind(trainer: Trainer, model: NestedEmbeddings) -> None:
    if trainer.engine is not None or not isinstance(trainer.backbone, MF):
        method = f"{type(trainer.backbone).__name__}, {type(trainer.loss).__name__}"
        raise TrainingError(
            _refuse(f"one of the {'torch' if trainer.engine is not None else CPU_ENGINE} engine ({method})")
        )
    if trainer.widths != model.widths:
        widths = ", ".join(map(str, cast("Widths", trainer.widths)))
        raise TrainingError(
            f"the model of an update must have all the widths that it was trained with, {widths}; got one "
            f"cut to {model.embedding_size}: update the whole model, then cut that, as in "
            f"update(model, …).model.at({model.embedding_size})"
        )


def _refuse(found: str) -> str:
    return (
        "the model of an update must have been trained by the cpu engine, in all its widths (nestrec train, "
        f"Trainer.fit); got {found}; train a model on all interactions instead"
    )


def _describe_origin(manifest: Mapping[str, Any]) -> str:
    baseline = manifest.get("baseline")
    return f" (baseline {baseline.get('name')})" if isinstance(baseline, Mapping) else ""
