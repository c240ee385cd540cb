"""What the core's HTTPS door shows; joining and the console come in here later."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from nearside import __version__


def front_page(name: str) -> Starlette:
    def index(_: Request) -> Response:
        return JSONResponse({"name": name, "version": __version__})

    def healthz(_: Request) -> Response:
        return PlainTextResponse("alive\n")

    return Starlette(routes=[Route("/", index), Route("/healthz", healthz)])
