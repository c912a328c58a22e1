"""What may be asked in an address, and nothing else: a question misspelt is told, not answered as another one."""

from typing import Final

from starlette.requests import Request

from agents.board.history import BadRequestError

__all__ = ["ALLOWED", "BadRequestError", "asked"]

#: The parameters of each path of the API.
ALLOWED: Final = {
    "/api/v1/queues": ("window", "at"),
    "/api/v1/intervals": ("from", "to", "interval", "queue"),
    "/api/v1/agents": ("window", "period"),
    "/api/v1/figures": ("period", "queue"),
    "/api/v1/subjects": ("period",),
    "/api/v1/stream": ("window", "changes"),
    "/api/v1/trend": ("queue", "channel", "window"),
    "/api/v1/breaches": ("window",),
    "/api/v1/weekday": ("queue", "channel"),
    "/api/v1/volume": ("by", "from", "to", "queue", "channel"),
}


def asked(request: Request) -> dict[str, str]:
    """Return the parameters; raise BadRequestError for an unknown one, or one given twice."""
    allowed, found = ALLOWED[request.scope["path"]], dict[str, str]()
    for name, value in request.query_params.multi_items():
        if name not in allowed:
            raise BadRequestError(f"{name!r} is not a parameter here; allowed: {', '.join(allowed)}")
        if name in found:
            raise BadRequestError(f"{name}: given twice; give it once")
        found[name] = value
    return found
