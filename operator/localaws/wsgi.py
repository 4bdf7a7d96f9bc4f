"""An HTTP request as WSGI has it, for moto.

Source: PEP 3333; `RAW_URI` is werkzeug's name for the path as it came, which moto's S3 reads keys from.
"""

from __future__ import annotations

import io
from typing import Any
from urllib.parse import unquote_to_bytes

from localaws.protocol import Request


def environ(request: Request, *, account: str, host: str) -> dict[str, Any]:
    """The request's environment; moto takes the account from a header, and the host from `host` where there is none."""
    name, _, port = request.headers.get("Host", host).partition(":")
    result: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(request.path).decode("latin-1"),
        "RAW_URI": f"{request.path}?{request.query}" if request.query else request.path,
        "QUERY_STRING": request.query,
        "SERVER_NAME": name,
        "SERVER_PORT": port or "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_LENGTH": str(len(request.body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(request.body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for header, value in request.headers.items():
        result["HTTP_" + header.upper().replace("-", "_")] = value
    result["CONTENT_TYPE"] = result.pop("HTTP_CONTENT_TYPE", "")
    result.pop("HTTP_TRANSFER_ENCODING", None)  # the body has been read as a whole
    result["HTTP_X_MOTO_ACCOUNT_ID"] = account
    return result
