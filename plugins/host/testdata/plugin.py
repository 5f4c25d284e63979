"""A plugin in Python, to hold that the handshake and mutual TLS are not Go's alone. It answers Open and Describe, byte by byte: the
messages are small enough to be written without generated code. Needs grpcio and cryptography."""
import base64, concurrent.futures, datetime, os, sys, tempfile

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


def certificate():
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.timezone.utc)
    cert = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(minutes=1)).not_valid_after(now + datetime.timedelta(days=365))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), False)
            .add_extension(x509.BasicConstraints(True, None), True)
            .sign(key, hashes.SHA256()))
    return cert, key


def text(number, value):
    return bytes([number << 3 | 2, len(value)]) + value


def main():
    if os.environ.get("HARRIER_PLUGIN") != "5a4a2d0c-connector":
        sys.exit("this is a plugin: a Harrier gateway starts it")
    raw = lambda b: b
    answers = {
        "Open": lambda request, context: text(2, b"python") + text(3, b"0.1"),
        "Describe": lambda request, context: text(1, text(1, b"python")),
        "Close": lambda request, context: b"",
    }
    cert, key = certificate()
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("harrier.plugin.v1.Connector", {
        name: grpc.unary_unary_rpc_method_handler(f, raw, raw) for name, f in answers.items()}),))
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    credentials = grpc.ssl_server_credentials(
        [(private, cert.public_bytes(serialization.Encoding.PEM))], os.environ["PLUGIN_CLIENT_CERT"].encode(), True)
    address = os.path.join(os.environ.get("PLUGIN_UNIX_SOCKET_DIR") or tempfile.mkdtemp(), "plugin")
    server.add_secure_port("unix:" + address, credentials)
    server.start()
    der = base64.b64encode(cert.public_bytes(serialization.Encoding.DER)).rstrip(b"=").decode()
    print("1|1|unix|%s|grpc|%s" % (address, der), flush=True)
    sys.stdin.buffer.read()  # ends with the host
    server.stop(None)


main()
