"""Which requests are answered: those that this page itself, or a person, can have sent.

Part of ``expression_ros.web``: imports no ROS and no web framework.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

# Nothing from elsewhere, no script or style in the page's own text, in nobody's frame.
SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
        "object-src 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def is_loopback(host: str) -> bool:
    """Return whether a server bound to ``host`` can be reached from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def known_names(host: str, more: Iterable[str] = ()) -> frozenset[str]:
    """Return the names under which a server bound to ``host`` may be addressed.

    Args:
        host: what it is bound to.
        more: names that a person gave as well.
    """
    names = {"localhost", host, *more}
    if not is_loopback(host):
        own = socket.gethostname()
        names |= {own, f"{own}.local", f"{own.split('.')[0]}.local"}
    return frozenset(name.lower().rstrip(".") for name in names if name)


def is_known_host(header: str, names: frozenset[str]) -> bool:
    """Return whether a request's Host header is one of ours.

    A page elsewhere can let its own name point to this machine and then read what it likes (DNS
    rebinding); but the browser then sends that name. A plain address cannot be made to point
    anywhere, so every address is accepted.
    """
    try:
        name = (urlsplit(f"//{header}").hostname or "").lower().rstrip(".")
    except ValueError:
        return False
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name in names
    return True


def is_same_origin(headers: Mapping[str, str], scheme: str) -> bool:
    """Return whether a request that changes something comes from this page, or from no page.

    Args:
        headers: of the request; every browser adds Origin to a POST.
        scheme: of the request, ``http`` or ``https``.
    """
    if headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = headers.get("Origin")
    return origin is None or origin.lower() == f"{scheme}://{headers.get('Host', '')}".lower()
