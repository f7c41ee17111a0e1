"""/metrics, /livez, /readyz."""

from __future__ import annotations

import asyncio
import socket
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

import scorer.metrics  # noqa: F401 - what a worker serves
from scorer.errors import UserError
from scorer.worker.status import DEAD_AFTER, StatusServer


async def get(server: StatusServer, path: str) -> tuple[int, str]:
    def ask() -> tuple[int, str]:
        try:
            with urlopen(f"http://127.0.0.1:{server.address[1]}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            with error:
                return error.code, error.read().decode()

    return await asyncio.to_thread(ask)


async def test_ready_when_nothing_is_missing() -> None:
    problems = ["there are no rules: run `scorer rules apply FILE`"]
    server = StatusServer("127.0.0.1", 0, lambda: problems)
    await server.start()
    try:
        assert await get(server, "/readyz") == (503, problems[0] + "\n")
        problems.clear()
        assert await get(server, "/readyz") == (200, "ready\n")
        status, text = await get(server, "/metrics")
        assert status == 200
        assert "# HELP scorer_intake_records_total" in text
        assert (await get(server, "/livez"))[0] == 200
        server._beaten -= DEAD_AFTER + 5
        assert (await get(server, "/livez"))[0] == 503
        assert (await get(server, "/"))[0] == 404
    finally:
        await server.stop()


async def test_a_taken_port_is_the_users_to_mend() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(UserError, match="can't be served"):
            await StatusServer("127.0.0.1", taken.getsockname()[1], list).start()
