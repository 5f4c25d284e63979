"""The process of a plugin: the handshake of go-plugin, mutual TLS, and the five calls."""

import concurrent.futures
import contextlib
import hashlib
import json
import os
import stat
import sys
import tempfile
import threading
import traceback

import grpc
import pyarrow as pa

from . import connector_pb2 as pb
from . import errors, tls
from .errors import HunterError
from .model import End, Request, Setup

COOKIE, COOKIE_VALUE = "HARRIER_PLUGIN", "5a4a2d0c-connector"
VERSION = 1  # of the protocol
BATCH_BYTES = 2 << 20  # where a batch is split
MAX_ROWS = 64 << 10
MAX_REQUEST = 256 << 20
CALLS = 64  # at a time


def serve(name, version, connector):
    """Serves a plugin until the host ends it or is gone. connector makes the Connector of the process."""
    if os.environ.get(COOKIE) != COOKIE_VALUE:
        sys.exit("this is a plugin: a Harrier gateway starts it; name its path in the gateway's configuration")
    host = os.environ.get("PLUGIN_CLIENT_CERT", "").encode()
    if not host:
        sys.exit("the gateway offers no certificate; this plugin speaks over mutual TLS alone")
    service = Service(name, version, connector)
    server = grpc.server(
        concurrent.futures.ThreadPoolExecutor(max_workers=CALLS),
        options=[("grpc.max_receive_message_length", MAX_REQUEST), ("grpc.max_send_message_length", -1),
                 ("grpc.http2.min_ping_interval_without_data_ms", 1000)])
    server.add_generic_rpc_handlers((service.handlers(),))
    with contextlib.ExitStack() as stack:
        folder = os.environ.get("PLUGIN_UNIX_SOCKET_DIR") or stack.enter_context(tempfile.TemporaryDirectory(prefix="harrier-plugin"))
        socket = os.path.join(folder, f"plugin-{os.getpid()}.sock")
        key, own, line = tls.certificate()
        server.add_secure_port("unix:" + socket, grpc.ssl_server_credentials([(key, own)], host, require_client_auth=True))
        server.start()
        print(f"1|{VERSION}|unix|{socket}|grpc|{line}", flush=True)
        os.dup2(2, 1)  # standard output was for the handshake; what is printed from now on is a log line
        _until_host_is_gone(server)
        server.wait_for_termination()
        with contextlib.suppress(Exception):
            service.shut()
        with contextlib.suppress(OSError):
            os.unlink(socket)


def _until_host_is_gone(server):
    """The host holds the other end of standard input and never writes, so that the process ends with it, however that ended."""

    def wait():
        with contextlib.suppress(OSError):
            while os.read(0, 4096):
                pass
        server.stop(grace=0)

    if stat.S_ISFIFO(os.fstat(0).st_mode):
        threading.Thread(target=wait, daemon=True).start()


def log(level, message, **fields):
    """Writes a line of JSON to standard error, from where the host takes it over."""
    sys.stderr.write(json.dumps({"level": level, "msg": message, **fields}) + "\n")
    sys.stderr.flush()


class Service:
    """The calls of the protocol on one connector. An error of the connector is part of the answer, never a status of gRPC."""

    def __init__(self, name, version, connector):
        self.name, self.version, self.make = name, version, connector
        self.lock = threading.Condition()
        self.connector, self.opened, self.closing, self.searches = None, False, False, 0

    def handlers(self):
        one, many = grpc.unary_unary_rpc_method_handler, grpc.unary_stream_rpc_method_handler

        def method(call, kind, request):
            return kind(call, request_deserializer=request.FromString, response_serializer=lambda m: m.SerializeToString())

        return grpc.method_handlers_generic_handler("harrier.plugin.v1.Connector", {
            "Open": method(self.open, one, pb.OpenRequest),
            "Describe": method(self.describe, one, pb.DescribeRequest),
            "Translate": method(self.translate, one, pb.TranslateRequest),
            "Search": method(self.search, many, pb.SearchRequest),
            "Close": method(self.close, one, pb.CloseRequest),
        })

    def open(self, message, _):
        with self.lock:
            if self.opened:
                return pb.OpenResponse(error=HunterError("PLUGIN_PROTOCOL", "Open was called twice; a process serves one connection").encode())
            self.opened = True
        try:
            connector = self.make()
            connector.open(Setup(message, log))
        except Exception as e:  # whatever it is, it is an answer
            return pb.OpenResponse(error=failed(e))
        self.connector = connector
        return pb.OpenResponse(name=self.name, version=self.version)

    def describe(self, message, _context):
        try:
            description = self.live().describe().encode()
            tag = hashlib.sha256(description.SerializeToString(deterministic=True)).hexdigest()
            if tag == message.known:
                return pb.DescribeResponse(unchanged=True, tag=tag)
            return pb.DescribeResponse(description=description, tag=tag)
        except Exception as e:
            return pb.DescribeResponse(error=failed(e))

    def translate(self, message, _):
        try:
            return pb.TranslateResponse(translation=self.live().translate(Request(message.request)).encode())
        except Exception as e:
            return pb.TranslateResponse(error=failed(e))

    def search(self, message, context):
        gone = threading.Event()
        if not context.add_callback(gone.set):
            return
        sent = 0
        try:
            with self.counted() as connector:
                frames = connector.search(Request(message.request), message.translation, lambda: gone.is_set() or self.closing)
                with contextlib.closing(frames):
                    for frame in Sender().messages(frames, gone):
                        yield frame
                        sent += 1
                if self.closing and not gone.is_set():
                    raise HunterError("SOURCE_UNAVAILABLE", "the connection is closed")
        except GeneratorExit:
            raise
        except Exception as e:
            if not gone.is_set():
                yield pb.Frame(error=failed(e))
        finally:
            if gone.is_set():
                log("debug", "a search was cancelled", frames=sent)

    def close(self, _message, _context):
        try:
            self.shut()
        except Exception as e:
            return pb.CloseResponse(error=failed(e))
        return pb.CloseResponse()

    def live(self):
        if self.connector is None:
            raise HunterError("PLUGIN_PROTOCOL", "the connection is not open; Open must come first and succeed")
        if self.closing:
            raise HunterError("SOURCE_UNAVAILABLE", "the connection is closed")
        return self.connector

    @contextlib.contextmanager
    def counted(self):
        """A search under way; closing waits for it."""
        with self.lock:
            connector = self.live()
            self.searches += 1
        try:
            yield connector
        finally:
            with self.lock:
                self.searches -= 1
                self.lock.notify_all()

    def shut(self):
        """Closes the connector once its searches have stopped."""
        with self.lock:
            if self.closing or self.connector is None:
                return
            self.closing = True
            self.lock.wait_for(lambda: self.searches == 0, timeout=5)
        self.connector.close()


def failed(error):
    """The message of an exception. Where it happened goes to the log alone; what it says may hold a secret, so it is not sent."""
    if not isinstance(error, HunterError):
        log("error", "the connector failed", error=type(error).__name__, stack=traceback.format_exc())
    return errors.encode(error)


class Sender:
    """Makes messages of frames: the schema before the first batch, and batches that are not too large."""

    def __init__(self):
        self.schema = None

    def messages(self, frames, gone):
        for frame in frames:
            if gone.is_set():
                return
            if isinstance(frame, pa.RecordBatch):
                yield from self.batch(frame)
                continue
            yield frame.encode()
            if isinstance(frame, End):
                return

    def batch(self, batch):
        if batch.num_rows == 0:
            return
        if self.schema is None or not self.schema.equals(batch.schema):
            self.schema = batch.schema
            yield pb.Frame(schema=pb.Schema(message=pa.ipc.read_message(batch.schema.serialize()).metadata.to_pybytes()))
        yield from self.parts(batch)

    def parts(self, batch):
        if batch.num_rows > 1 and (batch.nbytes > BATCH_BYTES or batch.num_rows > MAX_ROWS):
            half = batch.num_rows // 2
            yield from self.parts(batch.slice(0, half))
            yield from self.parts(batch.slice(half))
            return
        message = pa.ipc.read_message(batch.serialize())
        yield pb.Frame(batch=pb.Batch(header=message.metadata.to_pybytes(), body=message.body.to_pybytes()))
