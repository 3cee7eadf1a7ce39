"""The models of a server by name, each replaced as a whole: requests that began with the old one end with it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from nestrec.arguments import suggest
from nestrec.artefact.open_model import identity
from nestrec.errors import NestrecError, OptionError
from nestrec.serving.messages import Id
from nestrec.serving.served_model import ServedModel, open_served_model
from nestrec.serving.splitting import Split, models_of

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")

Opener = Callable[[str, Path], ServedModel]


class Choice(NamedTuple):
    """Models that answer a request, two of them interleaved, and the arm of the split."""

    models: tuple[ServedModel, ...]
    arm: str | None


class ModelSet:
    """Served models; `reload` opens one again and swaps it in, or keeps the old one and raises."""

    def __init__(
        self, folders: Mapping[str, Path], split: Split | None = None, *, opener: Opener = open_served_model
    ) -> None:
        self._folders, self._opener = dict(folders), opener
        self.split = split
        self._identities = {name: identity(path) for name, path in self._folders.items()}
        self._served = {name: opener(name, path) for name, path in self._folders.items()}
        self._reloading = Lock()

    @classmethod
    def of(cls, served: Iterable[ServedModel], split: Split | None = None) -> ModelSet:
        """Return a set of models in memory, which cannot be loaded again."""
        models = cls({}, split)
        models._served = {model.name: model for model in served}
        return models

    @property
    def served(self) -> Mapping[str, ServedModel]:
        """The models by name, in the order given; the first is the default."""
        return self._served

    def find(self, name: str | None) -> ServedModel:
        """Return a model by name, the first one for None; raise UnknownModelError for an unknown name."""
        served = self._served
        if name is None:
            return next(iter(served.values()))
        if name not in served:
            raise UnknownModelError(name, served)
        return served[name]

    def choose(self, name: str | None, user: Id | None) -> Choice:
        """Return the model of this name, or else the arm of the user; without a split, the first model."""
        if name is not None or self.split is None or user is None:
            return Choice((self.find(name),), None)
        arm = self.split.choose(user)
        return Choice(tuple(self.find(model) for model in models_of(arm)), arm)

    def reload(self, name: str) -> ServedModel:
        """Load a model again and swap it in; raise what its folder raises, and keep the old one, where that fails."""
        self.find(name)
        if name not in self._folders:
            raise OptionError(f"model must be one of a folder to be loaded again, got {name!r}", option="model")
        with self._reloading:
            folder = self._folders[name]
            self._identities[name] = identity(folder)  # before it is read: what changes meanwhile is read next time
            fresh = self._opener(name, folder)
            self._served = {**self._served, name: fresh}
        return fresh

    def changed(self) -> list[str]:
        """Return the names of models whose folders were replaced since they were last read, damaged ones included."""
        return [
            name
            for name, folder in self._folders.items()
            if (found := identity(folder)) is not None and found != self._identities[name]
        ]


class UnknownModelError(NestrecError):
    """A name of a model that is not served."""

    def __init__(self, name: str, served: Iterable[str]) -> None:
        names = list(served)
        super().__init__(
            f"model must be one of {', '.join(names)}; got {name[:64]!r}{suggest(name[:64], names)}", option="model"
        )


def name_folders(models: Iterable[str]) -> dict[str, Path]:
    """Return folders by name, from PATH or NAME=PATH; the name of a path is its last part.

    >>> name_folders(["models/shop", "new=models/tuesday"])
    {'shop': PosixPath('models/shop'), 'new': PosixPath('models/tuesday')}
    """
    folders: dict[str, Path] = {}
    for text in models:
        name, equals, path = text.partition("=")
        folder = Path(path if equals else text)
        name = name if equals else folder.resolve().name
        if not _NAME.match(name):
            raise OptionError(
                f"names of models must be letters, digits, dots, dashes and underscores, got {name!r}; give NAME=PATH"
            )
        if name in folders:
            raise OptionError(f"names of models must differ, got {name!r} twice; give NAME=PATH")
        folders[name] = folder
    if not folders:
        raise OptionError("give one model or more to serve")
    return folders
