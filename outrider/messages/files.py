"""Attachments, under addresses nobody can guess, sent as downloads (decision 49). Gone with their message.

Within bounds (`mail.body`): of a file beyond them name and size are kept.
"""

from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from outrider.kit.db import fetch_dict
from outrider.kit.http import services_of

NOT_KEPT = "This file is too large to be kept here, or one too many. It is with the email in the mailbox."
_HEADERS = {
    "cache-control": "private, no-store",
    "content-security-policy": "sandbox; default-src 'none'",
    "cross-origin-resource-policy": "same-origin",
    "x-content-type-options": "nosniff",
}


async def download(request: Request) -> Response:
    """The file; its type is never trusted: a browser must not show what a stranger sent as a page of ours."""
    async with services_of(request).database.connection() as db:
        file = await fetch_dict(
            db,
            "SELECT name, content FROM attachments WHERE token = %(token)s",
            {"token": request.path_params["token"]},
        )
    if file is None:
        return Response("This file does not exist, or its message was deleted.\n", 404, media_type="text/plain")
    if file["content"] is None:
        return Response(f"{NOT_KEPT}\n", 410, media_type="text/plain")
    disposition = f"attachment; filename*=UTF-8''{quote(file['name'], safe='')}"
    headers = {**_HEADERS, "content-disposition": disposition}
    return Response(bytes(file["content"]), headers=headers, media_type="application/octet-stream")


routes = (Route("/files/{token}/{name:path}", download, methods=["GET", "HEAD"]),)
