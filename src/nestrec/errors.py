"""The errors of nestrec: catch `NestrecError` for all of them.

    NestrecError
    ├── OptionError           an option's value breaks a rule (also a ValueError)
    │   ├── OutputError           a file or folder to write exists already, or cannot be written
    │   └── UnknownOptionError    an argument of this name does not exist (also a TypeError)
    ├── DataError             interactions cannot be read or are unfit for the job (also a ValueError)
    ├── DownloadError         a public data set cannot be downloaded, or fails its checksum
    ├── HubError              the Hugging Face Hub refuses a request or cannot be reached
    ├── UnknownIdError        an id that the model does not know (also a KeyError)
    ├── ModelFileError        a saved model is damaged, foreign or of another version
    ├── StoreError            a vector store cannot be opened, is unfinished, or returns other lists than the model
    ├── RequestError          a server of models refuses a request or cannot be reached
    ├── TrainingError         training cannot continue
    ├── MissingExtraError     an optional dependency is not installed (also an ImportError)
    └── PluginError           a plug-in of another package cannot be used

`DataWarning` is the category of warnings about data. Every message gives the value, the rule and the remedy, and names
arguments as Python does. An error says which of its words are such names, for the command line to print as options:

    raise OptionError(f"min_rating must be finite, got {value}", option="min_rating")
    raise DataError(f"{path} has no header; give user_column=1", mentions=("user_column=1",))
"""

from __future__ import annotations

from collections.abc import Iterable


class NestrecError(Exception):
    """Root of all errors that nestrec raises for mistakes outside its own code.

    >>> from nestrec import NestrecError, Widths
    >>> try:
    ...     Widths([8, 4])
    ... except NestrecError as error:
    ...     print(error)
    widths must be positive, ascending and unique; got 8,4
    """

    option: str | None
    """Name of the argument whose value is at fault, if it is one."""
    mentions: tuple[str, ...]
    """Other arguments in the message as they stand there: a name, or a name and a value such as overwrite=True."""

    def __init__(self, *args: object, option: str | None = None, mentions: Iterable[str] = ()) -> None:
        super().__init__(*args)
        self.option, self.mentions = option, tuple(mentions)


class OptionError(NestrecError, ValueError):
    """An option's value breaks a rule."""


class OutputError(OptionError):
    """A file or folder to write exists already, or cannot be written."""


class UnknownOptionError(OptionError, TypeError):
    """An argument of this name does not exist."""


class DataError(NestrecError, ValueError):
    """Interactions cannot be read, or are unfit for the task."""


class DownloadError(NestrecError):
    """A public data set cannot be downloaded, or fails its checksum."""


class HubError(NestrecError):
    """The Hugging Face Hub refuses a request or cannot be reached."""


class UnknownIdError(NestrecError, KeyError):
    """An id that the model does not know."""

    def __str__(self) -> str:
        """Return the message itself; KeyError would show it in quotes."""
        return Exception.__str__(self)


class ModelFileError(NestrecError):
    """A saved model is damaged, foreign or of another version."""


class StoreError(NestrecError):
    """A vector store cannot be opened, is unfinished, or returns other lists than the model."""


class RequestError(NestrecError):
    """A server of models refuses a request or cannot be reached."""

    status: int | None
    """HTTP status; None where there was no answer."""
    request_id: str | None
    """Id of the request in the log of the server."""

    def __init__(self, message: str, *, status: int | None = None, request_id: str | None = None) -> None:
        super().__init__(message)
        self.status, self.request_id = status, request_id


class TrainingError(NestrecError):
    """Training cannot continue."""


class MissingExtraError(NestrecError, ImportError):
    """An optional dependency is not installed."""


class PluginError(NestrecError):
    """A plug-in of another package cannot be imported, or its name is taken."""


class DataWarning(UserWarning):
    """Interactions can be used, but probably not as intended."""
