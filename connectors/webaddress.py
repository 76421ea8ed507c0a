"""What is wrong with the address of something that is spoken to over HTTP."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit


def objections(url: str, *, example: str, user: str, rest: str) -> Iterator[tuple[bool, str]]:
    """Give what is refused and why.

    Parameters
    ----------
    url
        The address.
    example
        A good one.
    user, rest
        What to do instead of naming a user in it, and instead of what stands behind ? or #.
    """
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    yield not usable, f"url: {url!r} is no address; write {example}"
    yield "@" in url, f"url: holds a user; {user}"
    yield "?" in url or "#" in url, f"url: ends before ? or #; {rest}"


def authority_objection(url: str, ca: Path | None) -> tuple[bool, str]:
    """Refuse the certificate of an authority where nothing is encrypted."""
    useless = ca is not None and not url.startswith("https:")
    return useless, "ca: protects nothing without TLS; write url = https://…"
