"""`nestrec serve`: models over HTTP, with the width chosen per request.

Examples:
  nestrec serve model
  nestrec serve model --port 9000 --api-keys keys.txt --admin-keys admin.txt
  nestrec serve old=models/old new=models/new --split old=90,new=10
  nestrec serve old=models/old new=models/new --split old+new=100
  nestrec serve model --watch 10 --access-log access.jsonl

The first model answers requests that name none. SIGHUP loads the models again, as does a folder that is replaced where
--watch is given; a model that cannot be loaded keeps its former version. SIGTERM and Ctrl-C stop the server once the
requests in flight are answered. A file of keys has a line NAME KEY for each. An arm of a split is a model, or two that
are interleaved. The routes are described at /openapi.json. To try it, with ID a user of the model:

  curl "http://127.0.0.1:8000/v1/recommend/ID?k=2"

"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from nestrec.cli.console import say
from nestrec.cli.panels import ACCESS, MODELS
from nestrec.cli.server_limits import ServerLimits
from nestrec.cli.shared_options import argument, option, output
from nestrec.errors import OptionError

if TYPE_CHECKING:
    from socket import socket

    from nestrec.serving.app import Server
    from nestrec.serving.gate import Keys

PANELS = {
    MODELS: ("split", "split_salt", "watch"),
    ACCESS: ("host", "port", "api_keys", "admin_keys", "access_log"),
}


def serve(
    models: Annotated[list[str], argument("MODEL...", "Folders of models: PATH, or NAME=PATH.")],
    limits: ServerLimits,
    split: Annotated[
        str | None, option("LIST", "Shares of the users by model, such as old=90,new=10; old+new interleaves.")
    ] = None,
    split_salt: Annotated[str, option("TEXT", "Divide users independently of other splits.")] = "",
    watch: Annotated[
        float | None, option("S", "Look every S seconds whether a model was replaced, and load it.", "off")
    ] = None,
    host: Annotated[str, option("HOST", "Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, option("N", "Port to listen at; 0 takes a free one.")] = 8000,
    api_keys: Annotated[Path | None, option("FILE", "Keys of clients, NAME KEY a line.", "no key is needed")] = None,
    admin_keys: Annotated[
        Path | None, option("FILE", "Keys for administration and metrics.", "no administration")
    ] = None,
    access_log: Annotated[
        Path | None, output("FILE", "Append a JSON line per request; - is stdout.", show_default="off")
    ] = None,
) -> None:
    """Serve models over HTTP."""
    from nestrec.extras import require

    for module in ("starlette", "uvicorn", "httptools", "uvloop", "prometheus_client"):
        require(module, "serve", "nestrec serve")
    from nestrec.arguments import check_range
    from nestrec.serving.access_log import AccessLog
    from nestrec.serving.app import Server, ServerOptions
    from nestrec.serving.model_set import ModelSet, name_folders
    from nestrec.serving.run import bind, run
    from nestrec.serving.splitting import Split

    check_range("port", port, 0, 65_535, 8000)
    if watch is not None:
        check_range("watch", watch, 0.1, 86_400, 10)
    if split_salt and split is None:
        raise OptionError("--split-salt needs --split LIST")
    folders = name_folders(models)
    division = None if split is None else Split.parse(split, folders, split_salt)
    options = ServerOptions(limits.limits(), limits.narrowing(), _read_keys(api_keys, admin_keys), watch)
    with bind(host, port) as listening, closing(AccessLog(access_log)) as log:
        server = Server(ModelSet(folders, division), options, access_log=log)
        _show_records()
        run(server, listening, lambda: _announce(server, listening))
    say("Stopped.")


def _read_keys(clients: Path | None, admins: Path | None) -> Keys:
    from nestrec.serving.api_keys import ApiKeys
    from nestrec.serving.gate import Keys

    return Keys(*(None if path is None else ApiKeys.read(path) for path in (clients, admins)))


def _announce(server: Server, listening: socket) -> None:
    for served in server.models.served.values():
        say(f"Serving {served.name}, version {served.version}, {served.model!r}")
    host, port = listening.getsockname()[:2]
    address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    say(f"Listening at {address}")
    say(f"Try: {_show_example(server, address)}")


def _show_example(server: Server, address: str) -> str:
    """Return a command that asks for the list of the first user of the first model."""
    from urllib.parse import quote

    served = next(iter(server.models.served.values()))
    user = quote(str(served.model.users.ids[:1].tolist()[0]), safe="")
    key = '-H "Authorization: Bearer KEY" ' if server.needs_key else ""
    return f'curl {key}"{address}/v1/recommend/{user}?k=2"'


def _show_records() -> None:
    """Show what the server logs, such as models that were loaded again, on stderr."""
    import logging

    from nestrec.cli.log_records import Notice

    for name in ("nestrec.serving", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.setLevel(logging.INFO if name.startswith("nestrec") else logging.ERROR)
        logger.addHandler(Notice())
