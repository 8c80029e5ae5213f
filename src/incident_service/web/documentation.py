"""The page at `/docs`: the OpenAPI document for people, under a policy that lets in just that.

Its script comes from where FastAPI finds Swagger UI; the page is written once.
"""

import base64
import hashlib
import re

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse

PATH = "/docs"
INLINE = re.compile(r"<script>(.*?)</script>", re.DOTALL)
HOST = re.compile(r'(?:src|href)="(https://[^/"]+)')


def add_documentation(app: FastAPI) -> None:
    """Serve the page; the app has `docs_url` and `redoc_url` off."""
    page = get_swagger_ui_html(
        openapi_url=app.openapi_url or "", title=app.title, swagger_favicon_url="data:,"
    )
    text = bytes(page.body).decode()
    headers = {"Content-Security-Policy": policy_for(text)}

    @app.get(PATH, include_in_schema=False)
    async def show_documentation() -> HTMLResponse:
        return HTMLResponse(text, headers=headers)


def policy_for(page: str) -> str:
    """Return the Content-Security-Policy that a page of Swagger UI needs, and nothing more."""
    hosts = " ".join(sorted(set(HOST.findall(page))))
    scripts = " ".join(f"'sha256-{digest_of(script)}'" for script in INLINE.findall(page))
    return (
        f"default-src 'none'; script-src {hosts} {scripts}; style-src {hosts} 'unsafe-inline'; "
        "img-src 'self' data:; font-src data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def digest_of(script: str) -> str:
    """Return what a policy calls an inline script."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
