"""What the author of a Harrier connector in Python uses.

    from harrier_plugin import Connector, serve

    class Acme(Connector): ...

    serve("acme", "1.0.0", Acme)

serve owns the process: the handshake, mutual TLS, the calls, settings and secrets, cancellation, and that an exception of the connector
is an error of one call. Connector says what an author writes. Module expr is the meaning of conditions, module events a sorted store
of events that answers requests by it.
"""

from .errors import HunterError
from .events import Events
from .model import Connector, Description, Disposed, Request, Setup, Stream, Translation
from .model import End, PartFailed, Progress, Rejected, Throttled, Watermark
from .server import serve

__all__ = [
    "Connector", "Description", "Disposed", "End", "Events", "HunterError", "PartFailed", "Progress", "Rejected", "Request", "Setup",
    "Stream", "Throttled", "Translation", "Watermark", "serve",
]
