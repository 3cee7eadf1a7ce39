"""One call of `Trainer.fit`: its phases in order, the checkpoint they share, and the model they leave."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType
from typing import Any

from nestrec.arrays import Float32Array
from nestrec.data.interactions import Interactions
from nestrec.embeddings import NestedEmbeddings
from nestrec.errors import OptionError
from nestrec.svd_rotation import rotate_embeddings
from nestrec.training.callbacks import Phase
from nestrec.training.checkpoint import Checkpoint, StoredState
from nestrec.training.checkpoint_folder import CheckpointFolder
from nestrec.training.fitted_model import build_model, is_from_search
from nestrec.training.manifest_sections import describe_options
from nestrec.training.options import Run
from nestrec.training.phase import PhaseRun
from nestrec.training.regularization_search import TRIAL_INTERACTIONS, Trial, best_multiples, multiples_of, next_steps
from nestrec.training.schedule import Schedule
from nestrec.training.setup import TrainingSetup
from nestrec.training.stop_request import StoppedError, StopRequest
from nestrec.training.training_state import PhaseState, TrainingState
from nestrec.training.validation import COMPARED_USERS, Validation, name_widths
from nestrec.training.validation_part import describe_validation


class Fit:
    """Runs the phases; as a context manager it locks the checkpoint's folder, unless the caller has."""

    def __init__(
        self, setup: TrainingSetup, validation: Validation | None, *, refit: bool, run: Run, stop: StopRequest
    ) -> None:
        """Check that the options fit each other; raise OptionError if they do not."""
        if setup.tune_seconds and validation is None:
            raise OptionError(
                f"tune_seconds must be left out without a validation part, got {setup.tune_seconds:g}",
                option="tune_seconds",
            )
        self.setup, self.validation, self.run, self.stop = setup, validation, run, stop
        self.refit = refit and validation is not None and not validation.was_given
        self.checkpoint = self._checkpoint()
        self.stored: StoredState | None = None  # to resume from, until a phase has
        self.trials: list[Trial] = []  # of the regularization search
        self._sample = validation  # what trials are trained and validated on
        self.search: PhaseState | None = None
        self.best: dict[str, Float32Array] | None = None  # embeddings of the search's best epoch
        self.rotated: dict[str, Any] | None = None  # validation metrics after rotation, if these are better
        self.interrupted = False  # while the rotated embeddings were evaluated
        self.started = time.perf_counter()
        self._opened = False

    def train(self) -> NestedEmbeddings:
        """Run the phases and return the model."""
        callbacks, training = self.run.callback_list, None
        callbacks.on_fit_start(describe_options(self.setup, self.run))
        try:
            self._read_checkpoint()
            phase = self._tune() or self._search() or self._train_on_all()
            training = self._describe_training(phase)
            rotate = self.rotated is not None
            return build_model(self.setup, phase, self._trained_on(phase), training, rotate=rotate)
        finally:
            callbacks.on_fit_end(training)

    def __enter__(self) -> Fit:
        """Lock the folder of the checkpoint."""
        if self.checkpoint is not None and not self.checkpoint.folder.is_open:
            self.checkpoint.folder.open()
            self._opened = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Unlock the folder; the checkpoint stays."""
        if self.checkpoint is not None and self._opened:
            self.checkpoint.folder.close()

    def _report(self, message: str) -> None:
        self.run.callback_list.on_message(message)

    def _read_checkpoint(self) -> None:
        if self.checkpoint is None or not self.run.resume:
            return
        self.stored = self.checkpoint.read()
        if self.stored is None:
            self._report(f"no checkpoint in {self.checkpoint.directory}: starting from the beginning")
            return
        state, self.best = self.stored.state, self.stored.best
        self.trials, self.search, self.rotated = state.trials, state.search, state.rotated

    def _tune(self) -> PhaseRun | None:
        """Search for the regularization, and set it; return the trial that a stop has interrupted, if any."""
        if self.validation is None:
            return None
        if self.setup.tune_seconds and (self.stored is None or self.stored.state.current.phase == "tuning"):
            started, self.best = time.perf_counter(), None
            sample = self._sample = self.validation.sample_users(TRIAL_INTERACTIONS)
            while (steps := next_steps(self.trials, len(self.setup.objective.widths))) is not None:
                setup = sample.setup.scale_regularization(multiples_of(steps))
                trial = self._run_phase("tuning", setup, self._trial_schedule(), sample)
                if self.stop.made:
                    return trial
                self._keep_trial(steps, trial)
                if time.perf_counter() - started >= self.setup.tune_seconds:
                    break
        return None

    def _trial_schedule(self) -> Schedule:
        return replace(self.setup.schedule, evaluate_every=self.setup.schedule.epochs)

    def _keep_trial(self, steps: tuple[int, ...], trial: PhaseRun) -> None:
        evaluated = trial.state.find_best()
        assert evaluated is not None
        metric = str(self.setup.metric)
        self.trials.append(Trial(steps, tuple(of[metric] for of in evaluated["metrics"].values())))
        weights = ", ".join(f"{weight:.3g}" for weight in trial.engine.objective.regularization)
        self._report(f"regularization {weights}: {metric} {evaluated['value']:.4f}, averaged over widths")

    def _search(self) -> PhaseRun | None:
        """Find the best epoch on the validation split; return the phase if it is the last one."""
        multiples = best_multiples(self.trials, len(self.setup.objective.widths))
        self.setup = self.setup.scale_regularization(multiples)
        if self.validation is None or self.search is not None:
            return None
        setup = self.validation.setup.scale_regularization(multiples)
        compared = self.validation.sample_held_out(COMPARED_USERS)
        phase = self._run_phase("search", setup, self.setup.schedule, compared, self.best)
        if self.stop.made:
            return phase
        self._save_finished(phase)
        phase.release()  # room for the rotated embeddings
        try:
            self.rotated = self._evaluate_rotated(phase, compared)
            if self.rotated is None and compared is not self.validation:
                self._evaluate_on_all_users(phase)
        except StoppedError:
            self.interrupted = True
            return phase
        if not self.refit:
            return phase
        self.search, self.best = phase.state, phase.best
        return None

    def _evaluate_on_all_users(self, phase: PhaseRun) -> None:
        """Replace the best epoch's metrics, which are of a sample of the users."""
        best, entry = phase.best, phase.state.find_best()
        assert self.validation is not None
        assert best is not None
        assert entry is not None
        metrics, value = self.validation(best["user_embeddings"], best["item_embeddings"], self._check_stop())
        entry.update(value=value, metrics=name_widths(metrics))

    def _check_stop(self) -> Callable[[], None] | None:
        """Return what ends an evaluation after the search: nothing if a resumed run could not repeat it."""
        return self.stop.check if self.checkpoint is None or self.checkpoint.exists() else None

    def _evaluate_rotated(self, phase: PhaseRun, compared: Validation) -> dict[str, Any] | None:
        """Return the validation metrics of the search's best embeddings after rotation, None if no better."""
        best, before = phase.best, phase.state.find_best()
        if not self.setup.rotate or len(self.setup.objective.widths) < 2:
            return None
        if self.validation is None or best is None or before is None:
            return None
        embeddings = rotate_embeddings(best["user_embeddings"], best["item_embeddings"])
        metrics, value = compared(*embeddings, self._check_stop())
        if not _is_better(value, before):
            return None
        if compared is not self.validation:
            metrics, value = self.validation(*embeddings, self._check_stop())
        self._report(
            f"rotation improves {self.setup.metric}, averaged over widths, to {value:.4f}: the model is rotated"
        )
        return {"epoch": phase.state.best_epoch, "value": value, "metrics": name_widths(metrics)}

    def _train_on_all(self) -> PhaseRun:
        """Train on all interactions, for as many epochs as the search found best."""
        epochs = self.setup.schedule.epochs if self.search is None else self.search.best_epoch
        schedule = replace(self.setup.schedule, stop_after=epochs)
        phase = self._run_phase("final", self.setup, schedule, best=self.best)
        self._save_finished(phase)
        return phase

    def _run_phase(
        self,
        name: Phase,
        setup: TrainingSetup,
        schedule: Schedule,
        validation: Validation | None = None,
        best: dict[str, Float32Array] | None = None,
    ) -> PhaseRun:
        """Train until the phase ends or is stopped; the first phase of a resumed run starts from the checkpoint."""
        engine, state = setup.start_engine(self.run), PhaseState(name)
        if self.stored is not None:
            state = self.stored.state.current
            engine.restore(self.stored.parameters)
            self.stored = None
        phase = PhaseRun(
            engine=engine,
            schedule=schedule,
            validate=validation,
            state=state,
            best=best,
            checkpoint=self.checkpoint,
            callbacks=self.run.callback_list,
            stop=self.stop,
            training_state=self._training_state,
        )
        phase.run()
        return phase

    def _training_state(self, current: PhaseState) -> TrainingState:
        return TrainingState(current, self.trials, self.search, self.rotated)

    def _save_finished(self, phase: PhaseRun) -> None:
        """Update an existing checkpoint: it holds the model until that is saved."""
        if self.checkpoint is not None and (self.checkpoint.exists() or self.stop.made):
            phase.save()

    def _trained_on(self, phase: PhaseRun) -> Interactions:
        """Return the interactions that the model's embeddings were trained on."""
        validation = self._sample if phase.state.phase == "tuning" else self.validation
        if validation is None or not is_from_search(phase):
            return self.setup.interactions
        return validation.setup.interactions

    def _describe_training(self, phase: PhaseRun) -> dict[str, Any]:
        """Return the manifest's section `training`."""
        search = self.search if phase.state.phase == "final" else phase.state
        is_best = phase.best is not None and is_from_search(phase)
        return {
            "engine": "cpu" if self.setup.engine is None else "torch",
            "options": describe_options(self.setup, self.run),
            "regularization_by_rule": self.setup.regularization_default is not None,
            "validation": {"kind": "none"} if self.validation is None else self.validation.describe(),
            "validation_metrics": self.rotated or (None if search is None else search.find_best()),
            "history": search.history if search else [],
            "epochs": search.best_epoch if search and is_best else phase.state.epoch,
            "trained_on": self._describe_part(phase),
            **self._describe_interruption(phase),
            "rotated": self.rotated is not None,
            "tuning": [
                {"regularization_multiples": list(multiples_of(trial.steps)), "values": list(trial.values)}
                for trial in self.trials
            ],
            "seconds": round(time.perf_counter() - self.started, 3),
        }

    def _describe_part(self, phase: PhaseRun) -> str:
        """Return which of the interactions the model's embeddings were trained on."""
        part = self._trained_on(phase)
        if part is self.setup.interactions:
            return "all interactions"
        is_sample = phase.state.phase == "tuning" and self._sample is not self.validation
        return f"{'random users of ' if is_sample else ''}all but the validation part"

    def _describe_interruption(self, phase: PhaseRun) -> dict[str, Any]:
        more_phases = phase.state.phase == "tuning" or (self.refit and phase.state.phase == "search")
        interrupted = self.interrupted or not phase.is_finished or more_phases
        by = signal.Signals(self.stop.number).name if interrupted and self.stop.number is not None else None
        return {"interrupted": interrupted, **({} if by is None else {"interrupted_by": by})}

    def _checkpoint(self) -> Checkpoint | None:
        given = self.run.checkpoint
        if given is None:
            return None
        identity = {
            **describe_options(self.setup, self.run),
            "data": self.setup.interactions.fingerprint(),
            "validation": describe_validation(None if self.validation is None else self.validation.split),
            "refit": self.refit,
        }
        if self.validation is not None:  # the shape of the search's arrays
            train = self.validation.setup.interactions
            identity["search_data"] = {"n_users": train.n_users, "n_items": train.n_items}
        folder = given if isinstance(given, CheckpointFolder) else CheckpointFolder(given)
        return Checkpoint(folder, identity, self.run.checkpoint_seconds)


def _is_better(value: float, before: dict[str, Any]) -> bool:
    """Return whether a value is above that of an evaluation."""
    return bool(value > before["value"])
