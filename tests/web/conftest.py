"""Pages without a browser: a person simulated by NiceGUI."""

from __future__ import annotations

import contextlib

import pytest
from nicegui.testing.user_simulation import user_simulation

from iota.web.projects.projects import Projects
from iota.web.server import register_pages
from iota.web.site import Site


@pytest.fixture(autouse=True)
def own_memory(tmp_path_factory, monkeypatch):
    """What servers remember stays apart from that of who runs the tests."""
    for name in ("XDG_STATE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path_factory.mktemp(name.lower())))


@pytest.fixture
async def visit():
    """Function that serves a project's pages to a person, ``await visit(project, *arguments)``."""
    async with contextlib.AsyncExitStack() as stack:

        async def visit_(project, *arguments):
            user = await stack.enter_async_context(user_simulation())
            register_pages(Site(Projects(project), arguments))
            return user

        yield visit_
