"""Errors of requests with their HTTP status, and the status of the library's errors."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from msgspec import UNSET

from nestrec.errors import DataError, NestrecError, OptionError, UnknownIdError
from nestrec.serving.messages import Problem, encode
from nestrec.serving.model_set import UnknownModelError

RETRY_AFTER = "1"  # seconds


class ProblemError(NestrecError):
    """A request that is not answered, and why."""

    def __init__(
        self, status: HTTPStatus, detail: str, *, option: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail, option=option)
        self.status, self.headers = status, dict(headers or {})
        self.rejected: str | None = None  # for which limit, for the metrics

    def encode(self, request_id: str) -> bytes:
        """Return the problem as JSON."""
        parameter = self.option or UNSET
        return encode(Problem(self.status.phrase, int(self.status), str(self), request_id, parameter))


def unprocessable(detail: str, option: str | None = None) -> ProblemError:
    """Return the problem of a value that breaks a rule."""
    return ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, detail, option=option)


def overloaded(
    detail: str, rejected: str | None = None, status: HTTPStatus = HTTPStatus.SERVICE_UNAVAILABLE
) -> ProblemError:
    """Return the problem of a request that may be sent again soon; `rejected` names the limit in the metrics."""
    problem = ProblemError(status, detail, headers={"Retry-After": RETRY_AFTER})
    problem.rejected = rejected
    return problem


def as_problem(error: Exception) -> ProblemError | None:
    """Return the problem of an error of the library that a request has caused, None for any other error."""
    if isinstance(error, ProblemError):
        return error
    if isinstance(error, UnknownModelError):
        return ProblemError(HTTPStatus.NOT_FOUND, str(error), option=error.option)
    if isinstance(error, UnknownIdError):
        return ProblemError(HTTPStatus.NOT_FOUND, str(error).replace('unknown="skip"', "skip_unknown=true"))
    if isinstance(error, (OptionError, DataError)):
        return unprocessable(str(error), error.option)
    return None
