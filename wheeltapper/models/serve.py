"""``wheeltapper models serve``: a folder over HTTP, for gateways to fetch."""

from pathlib import Path
from typing import Annotated

import typer

from wheeltapper.options import AsJson, Host, Port

HEALTH = "/health"
CONNECTIONS = 100


def serve(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Everything in it is served.")],
    host: Host = "127.0.0.1",
    port: Port = 8070,
    as_json: AsJson = False,
) -> None:
    """Serve files over HTTP to whoever asks; nothing can be put there over it.

    A signature is what makes a model believed, not the way that it came: there is no login and no
    TLS. Ends at Ctrl-C or SIGTERM.
    """
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import PlainTextResponse
    from starlette.routing import Mount, Route
    from starlette.staticfiles import StaticFiles

    from plant.errors import Misconfigured
    from wheeltapper import terminal

    if not folder.is_dir():
        raise Misconfigured(f"{folder}: no such folder")

    async def health(_request: Request) -> PlainTextResponse:
        return PlainTextResponse("ok\n")

    site = Starlette(
        routes=[Route(HEALTH, health), Mount("/", StaticFiles(directory=folder))],
    )
    url = f"http://{host}:{port}"
    if as_json:
        terminal.record({"folder": str(folder), "url": url})
    else:
        terminal.say(f"serves {folder} at {url}")
    uvicorn.run(
        site,
        host=host,
        port=port,
        http="h11",
        ws="none",
        lifespan="off",
        log_level="warning",
        limit_concurrency=CONNECTIONS,
        proxy_headers=False,
        server_header=False,
    )
