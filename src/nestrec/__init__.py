"""nestrec: recommender embeddings that nest. The public names are those of `__init__.pyi`; each loads on first use."""

import lazy_loader as _lazy_loader

_load_name, __dir__, __all__ = _lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version

        return version("nestrec")
    return _load_name(name)
