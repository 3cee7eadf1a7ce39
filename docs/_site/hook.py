"""MkDocs hook: pages that are generated when the site is built, and links that leave docs/.

Generated: the command line reference (from the Typer program), and copies of the pages that stand elsewhere in the
repository. Pages are also read on the repository's own site, so links go to files; here those to files outside docs/
are led to the copies.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

from cli_reference import command_reference

ROOT = Path(__file__).resolve().parents[2]
COPIES = {
    "benchmarks/README.md": "benchmarks.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "README.md": "index.md",
    "examples/README.md": "examples.md",
    "LICENSE": "LICENSE.txt",
}
"""Files of the repository outside docs/, and the pages they become."""

_PICTURE = re.compile(r"<picture>.*?srcset=\"(.*?)\".*?src=\"(.*?)\" alt=\"(.*?)\".*?</picture>", re.DOTALL)
_LINK = re.compile(r"(\]\()([^)\s#]+)(#[^)\s]*)?(\))")
_SOURCES = {page: source for source, page in COPIES.items()}


def on_files(files: Files, config: Any) -> Files:
    """Add the generated pages."""
    for source, page in COPIES.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text(encoding="utf-8")))
    files.append(File.generated(config, "reference/cli.md", content=command_reference()))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Lead links to files of the repository to the pages that show them."""
    path = page.file.src_uri
    source = _SOURCES.get(path, f"docs/{path}")
    markdown = _PICTURE.sub(r"![\3](\2#only-light)![\3](\1#only-dark)", markdown)
    return _LINK.sub(lambda link: f"{link[1]}{_target(link[2], source, path)}{link[3] or ''}{link[4]}", markdown)


def _target(link: str, source: str, page: str) -> str:
    """Return where a link of a page leads; `source` is the file in the repository that the page is made of."""
    if "://" in link:
        return link
    file = posixpath.normpath(posixpath.join(posixpath.dirname(source), link))
    if file in COPIES:
        target = COPIES[file]
    elif file.startswith("docs/"):
        target = file.removeprefix("docs/")
    else:
        return link
    return posixpath.relpath(target, posixpath.dirname(page) or ".")
