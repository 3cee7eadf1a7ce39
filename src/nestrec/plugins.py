"""Plug-ins by entry points of other packages: samplers, losses, backbones, metrics, readers, exporters and stores.

A package names an object of its own in its `pyproject.toml`, and nestrec finds it by that name once both are installed:

    [project.entry-points."nestrec.samplers"]
    stratified = "my_package.samplers:StratifiedSampler"

The groups are `nestrec.samplers`, `nestrec.losses`, `nestrec.backbones`, `nestrec.metrics`, `nestrec.readers`,
`nestrec.exporters` and `nestrec.stores`.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from nestrec.errors import PluginError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


@cache
def load_plugins(group: str) -> dict[str, Any]:
    """Import the plug-ins of a group and return them by name; do not change the result, which is kept.

    Raises PluginError, which names the package, for a plug-in that cannot be imported and for a name given twice.

    >>> load_plugins("nestrec.samplers_of_nobody")
    {}
    """
    from importlib.metadata import entry_points  # 30 ms, which `nestrec --help` does without

    found: dict[str, EntryPoint] = {}
    for entry in entry_points(group=group):
        other = found.setdefault(entry.name, entry)
        if other.value != entry.value:
            raise PluginError(
                f"plug-in names must be unique; got {entry.name!r} in group {group} from {_describe_source(other)} and "
                f"from {_describe_source(entry)}; uninstall one of them"
            )
    return {name: _import(found[name]) for name in sorted(found)}


def list_plugin_names(group: str) -> list[str]:
    """Return the names of the plug-ins of a group, without importing them."""
    from importlib.metadata import entry_points

    return sorted({entry.name for entry in entry_points(group=group)})


def merge_plugins(group: str, built_in: dict[str, Any]) -> dict[str, Any]:
    """Return built-in objects by name with the plug-ins of a group after them; raise PluginError for a name of both."""
    plugins = load_plugins(group)
    for name in plugins:
        if name in built_in:
            raise PluginError(
                f"plug-in names must differ from built-in names; got {name!r} in group {group}; rename it in its "
                "package, or uninstall the package"
            )
    return {**built_in, **plugins}


def _import(entry: EntryPoint) -> Any:
    try:
        return entry.load()
    except Exception as error:  # the code of another package may raise anything
        raise PluginError(
            f"plug-in {entry.name!r} of group {entry.group} cannot be imported from {_describe_source(entry)} "
            f"({type(error).__name__}: {error}); update that package, or uninstall it"
        ) from error


def _describe_source(entry: EntryPoint) -> str:
    package = f"package {entry.dist.name}" if entry.dist is not None else "an unnamed package"
    return f"{package} ({entry.value})"
