"""What routes of the API share: how they find a run, and how they answer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import fastapi
import msgspec
from starlette.responses import Response

from iota.errors import UsageError
from iota.runs import RunFolder
from iota.web.api.errors import NotThereError
from iota.web.live.runs import LiveRun, live_runs
from iota.web.projects.projects import Projects

RunId = Annotated[str, fastapi.Path(alias="run", description="Id of a run, as the list of runs has it.", max_length=40)]


def json_answer(value: object, status: int = 200, **headers: str) -> Response:
    """An answer in JSON, which no proxy keeps."""
    body = msgspec.json.encode(value)
    return Response(body, status, media_type="application/json", headers={"Cache-Control": "no-store", **headers})


def run_folder(projects: Projects, run: str) -> RunFolder:
    """The folder of a run by its id.

    Raises:
        NotThereError: there is no such run.
    """
    try:
        return projects.folder(run)
    except UsageError as error:
        raise NotThereError(str(error)) from error


def project_folder(projects: Projects, text: str) -> Path:
    """A project by its folder, which must be one of those that the server shows.

    Raises:
        NotThereError: it is not.
    """
    for folder in projects.folders:
        if str(folder) == text:
            return folder
    raise NotThereError(f"The project {text[:200]} is not one of this server. Open it on the page of runs first.")


async def current_run(projects: Projects, run: str) -> LiveRun:
    """A run by its id, read as far as that is done within a second.

    Raises:
        NotThereError: there is no such run.
    """
    live = live_runs.get(run_folder(projects, run))
    await live.current()
    return live
