"""Error responses of the API, all of one form, and the HTTP status of each exception."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping

import msgspec
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from iota.errors import (
    BackendError,
    ConflictError,
    InputError,
    IotaError,
    NotFoundError,
    ParameterError,
    RunFolderError,
)
from iota.processes.question import BusyError, CrashError, FailureError, LateError
from iota.web.searches.searching import ClientGoneError

logger = logging.getLogger(__name__)

_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")
SEE_DOCS = "See /api/docs for the available requests."
_CLIENT_LEFT = 499  # as nginx has it; nobody reads the answer


class Problem(msgspec.Struct, frozen=True):
    """An error: a code for programs, a sentence for users, and what to do next."""

    kind: str
    """Code for programs."""
    message: str
    """What is wrong, as a sentence for users."""
    next: str = ""
    """What to do next."""


class ErrorAnswer(msgspec.Struct, frozen=True):
    """Every response with status 400 or above."""

    error: Problem
    """The error."""


class NotYetError(IotaError):
    """What was requested is not available yet, but will be soon."""


_STATUSES: tuple[tuple[type[IotaError], int, str], ...] = (  # the first that fits
    (NotFoundError, 404, "not_found"),
    (ConflictError, 409, "conflict"),
    (RunFolderError, 409, "run_folder"),
    (NotYetError, 503, "not_yet"),
    (BusyError, 503, "busy"),
    (LateError, 504, "timed_out"),
    (CrashError, 500, "crashed"),
    (FailureError, 500, "internal"),
    (BackendError, 500, "backend"),
    (ParameterError, 400, "parameter"),
    (InputError, 400, "input"),
    (IotaError, 400, "usage"),
)


def error_response(
    status: int, kind: str, message: str, then: str = "", headers: Mapping[str, str] | None = None
) -> Response:
    """An answer in the one shape."""
    body = msgspec.json.encode(ErrorAnswer(Problem(kind, message, then)))
    more = {"Cache-Control": "no-store"} | ({"Retry-After": "2"} if status == 503 else {}) | dict(headers or {})
    return Response(body, status, media_type="application/json", headers=more)


def handle_errors(app: FastAPI) -> None:
    """Have errors of the application's own routes, which are those of the API, answered in the one shape."""
    app.add_exception_handler(IotaError, _iota_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(ClientGoneError, _client_left)
    app.add_exception_handler(Exception, _unexpected)


async def _iota_error(_: Request, error: Exception) -> Response:
    status, kind = next((status, kind) for of, status, kind in _STATUSES if isinstance(error, of))
    first, *rest = _SENTENCE.split(str(error), maxsplit=1)
    return error_response(status, kind, first, " ".join(rest))


async def _validation_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"][1:]) or "the body"
    return error_response(422, "request", f"{where}: {first['msg'].rstrip('.')}.", SEE_DOCS)


async def _http_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    kind = {404: "not_found", 405: "method"}.get(error.status_code, "request")
    return error_response(error.status_code, kind, f"{error.detail}.", SEE_DOCS, error.headers)


async def _client_left(_: Request, error: Exception) -> Response:
    return Response(status_code=_CLIENT_LEFT)


async def _unexpected(request: Request, error: Exception) -> Response:
    """The border of the server around a request."""
    logger.error("%s %s", request.method, request.url.path, exc_info=error)
    return error_response(500, "internal", "The server failed to answer this request.", "See its log for details.")
