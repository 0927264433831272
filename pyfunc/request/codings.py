"""The content codings that aiohttp takes off a body, and the refusal of all others.

Which they are depends on the packages that are installed (RFC 9110, section 8.4.1).
"""

from aiohttp.compression_utils import HAS_BROTLI, HAS_ZSTD

from pyfunc.errors import UnsupportedFormatError

__all__ = ["CODINGS", "unknown_coding"]

_INSTALLED = (("gzip", True), ("deflate", True), ("br", HAS_BROTLI), ("zstd", HAS_ZSTD))

CODINGS = tuple(name for name, is_installed in _INSTALLED if is_installed)
"""The codings, in the order in which they are offered."""


def unknown_coding() -> UnsupportedFormatError:
    """The error for a body in another coding (RFC 9110, section 15.5.16)."""
    return UnsupportedFormatError(
        f"the Content-Encoding is not known here: expected {' or '.join(CODINGS)}",
        headers={"Accept-Encoding": ", ".join(CODINGS)},
    )
