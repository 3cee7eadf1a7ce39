"""Upload a saved model to a repository of the Hub, and download one: only the files of a model, of one commit."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any

from nestrec.artefact.manifest import LARGEST_MANIFEST, MANIFEST, read_manifest
from nestrec.artefact.target_folder import COARSE_INDEX, LAYOUT
from nestrec.atomic.folder import FILE_SUFFIX, get_stored_name
from nestrec.errors import HubError, ModelFileError, OptionError
from nestrec.extras import require

CARD = "README.md"


def upload(
    folder: Path, repo: str, *, private: bool, revision: str | None, token: str | None, message: str
) -> str:  # fmt: skip
    """Upload the files of a model's folder and its card in one commit; return the commit's address.

    The repository is made where there is none. Files of an earlier model that the new one does not have are deleted;
    other files in the repository stay. Raises HubError where the Hub refuses or cannot be reached.
    """
    api = _library("push_to_hub").HfApi(token=token)
    ours = [MANIFEST, CARD, *_patterns()]
    with _explain(repo), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "It seems that you are about to commit a data file")  # the item table
        api.create_repo(repo, private=private, exist_ok=True)
        commit = api.upload_folder(
            repo_id=repo,
            folder_path=folder,
            revision=revision,
            commit_message=message,
            allow_patterns=ours,
            delete_patterns=_patterns(),
        )
    address: str = commit.commit_url
    return address


def download(
    repo: str,
    *,
    revision: str | None,
    token: str | None,
    cache_dir: str | PathLike[str] | None,
    coarse_index: bool,
) -> Path:
    """Return the folder, in the Hub's cache, with the model of one commit of a repository.

    The manifest is fetched first; then the files that it lists, which must be those of a model, of the same commit.
    Raises HubError where they cannot be fetched, ModelFileError for what is not a model.
    """
    library = _library("from_pretrained")
    common: dict[str, Any] = {"repo_id": repo, "token": token, "cache_dir": cache_dir}
    with _explain(repo):
        main = Path(library.hf_hub_download(filename=MANIFEST, revision=revision, **common))
        with main.open("rb") as file:
            manifest = read_manifest(main.parent, file.read(LARGEST_MANIFEST + 1))
        for name in manifest["files"]:
            if name not in LAYOUT.parts:
                raise ModelFileError(f"the files of the model in {repo} must be those of a model, got {name!r}")
            if name != COARSE_INDEX or coarse_index:
                stored = get_stored_name(name, manifest.get(FILE_SUFFIX, ""))
                library.hf_hub_download(filename=stored, revision=main.parent.name, **common)
    return main.parent


def _patterns() -> list[str]:
    """Return the names of a model's parts, with and without a suffix, as patterns."""
    return [pattern for part in LAYOUT.parts for pattern in (part, get_stored_name(part, "?" * 12))]


def _library(purpose: str) -> Any:
    return require("huggingface_hub", "hub", purpose)


@contextmanager
def _explain(repo: str) -> Iterator[None]:
    """Raise HubError for what the library raises."""
    from huggingface_hub import errors

    try:
        yield
    except errors.HFValidationError as error:
        raise OptionError(f"the repository must be named owner/name, got {repo!r} ({error})", option="repo") from error
    except errors.LocalEntryNotFoundError as error:
        raise HubError(
            f"the Hub cannot be reached for {repo}, and its cache does not hold the model ({_first_line(error)}); "
            "check the network"
        ) from error
    except (errors.RevisionNotFoundError, errors.RepositoryNotFoundError, errors.EntryNotFoundError) as error:
        raise HubError(
            f"{repo} must be a repository with a model of nestrec, at this revision ({_first_line(error)}); check the "
            "name, the revision, and that your token may read it"
        ) from error
    except (errors.HfHubHTTPError, errors.OfflineModeIsEnabled, ConnectionError) as error:
        raise HubError(f"the Hub cannot serve {repo} ({_first_line(error)}); try again, or check your token") from error
    except Exception as error:  # of the HTTP library, which differs between versions
        if type(error).__module__.partition(".")[0] not in ("httpx", "httpcore", "httpx2", "httpcore2", "requests"):
            raise
        raise HubError(f"the Hub cannot be reached for {repo} ({_first_line(error)}); check the network") from error


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
