"""How things fail: package hunt's Error."""

from . import connector_pb2 as pb


class HunterError(Exception):
    """An error with all fields of the protocol. message is one line for people: what happened, where, what to do. It must hold no secret."""

    def __init__(self, code, message, *, op="", source="", path="", retryable=False, retry_after=0.0, cause=""):
        super().__init__(message)
        self.code, self.message = code, message
        self.op, self.source, self.path = op, source, path
        self.retryable, self.retry_after, self.cause = retryable, retry_after, cause

    def encode(self):
        return pb.Error(
            op=self.op, source=self.source, code=self.code, message=self.message, path=self.path, retryable=self.retryable,
            retry_after=int(self.retry_after * 1e9), cause=str(self.cause))


def encode(error):
    """Makes the message of any exception; one that is no HunterError becomes INTERNAL."""
    if isinstance(error, HunterError):
        return error.encode()
    return pb.Error(code="INTERNAL", message=f"the connector failed: {type(error).__name__}; its log says where")
