"""The OTEL_ variables: the effect of each on the export, and the line that refuses a value."""

import ssl
import subprocess

import pytest

from bank import run_to_the_end
from collector import Collector, exported
from pace import eventually

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"


@pytest.mark.parametrize("name, value, allowed", [
    *[(ENDPOINT, value, "http://localhost:4318") for value in [
        "localhost:4318", "http://", "http:///v1", "http:/localhost", "http://:4318", "http://localhost:99999",
        "http://localhost:0", "http://localhost:port", "http://localhost:4318 ", " http://localhost:4318",
        "http://local host", "http://localhost/#a", "ftp://localhost", "grpc://localhost:4317", "file:///etc/passwd",
        "unix:///tmp/socket", "/v1/traces", "http://[::1"]],
    ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "localhost:4318", "http://localhost:4318"),
    ("OTEL_SDK_DISABLED", "1", "true or false"), ("OTEL_SDK_DISABLED", "yes", "true or false"),
    ("OTEL_TRACES_EXPORTER", "zipkin", "otlp or none"), ("OTEL_TRACES_EXPORTER", "otlp,console", "otlp or none"),
    ("OTEL_TRACES_EXPORTER", "jaeger", "otlp or none"),
    ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "http/json"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf", "http/json"),
    ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc", "http/json"),
    ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd", "gzip or none"),
    ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "deflate", "gzip or none"),
    ("OTEL_EXPORTER_OTLP_TIMEOUT", "0", "from 1 to 600000"), ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s", "from 1 to 600000"),
    ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "-1", "from 1 to 600000"),
    ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/no/such/file", "PEM file"),
    ("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "/no/such/file", "PEM file"),
    ("OTEL_EXPORTER_OTLP_CLIENT_KEY", "/no/such/file", "PEM file"),
    ("OTEL_EXPORTER_OTLP_CLIENT_KEY", "/dev/null", "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE"),
    ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "/dev/null", "OTEL_EXPORTER_OTLP_CLIENT_KEY"),
    ("OTEL_PROPAGATORS", "b3", "tracecontext"), ("OTEL_PROPAGATORS", "tracecontext,jaeger", "tracecontext"),
    ("OTEL_TRACES_SAMPLER", "sometimes", "always_on"), ("OTEL_TRACES_SAMPLER", "parentbased_", "always_on"),
    *[("OTEL_TRACES_SAMPLER_ARG", value, "from 0 to 1") for value in [
        "1.1", "-0.1", "nan", "half", "0x1p-1", " 0.5", "0.5 ", "0,5", "+0.5", "1e999", "infinity", "e", "."]],
    ("OTEL_RESOURCE_ATTRIBUTES", "a", "key=value"), ("OTEL_RESOURCE_ATTRIBUTES", "a=1, =2", "key=value"),
    ("OTEL_RESOURCE_ATTRIBUTES", "a=%zz", "key=value"), ("OTEL_RESOURCE_ATTRIBUTES", "%zz=a", "key=value"),
    ("OTEL_BSP_MAX_QUEUE_SIZE", "0", "from 1 to"), ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "0", "from 1 to"),
    ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "2049", "from 1 to 2048, which is OTEL_BSP_MAX_QUEUE_SIZE"),
    ("OTEL_BSP_SCHEDULE_DELAY", "0", "from 1 to"), ("OTEL_BSP_EXPORT_TIMEOUT", "forever", "from 1 to")])
def test_a_variable_that_cannot_be_used_stops_the_start(name, value, allowed):
    """One line that names the variable, the value and the allowed values."""
    outcome = run_to_the_end(**{ENDPOINT: "http://localhost:4318", name: value})
    assert outcome.returncode == 2
    line, = outcome.stderr.splitlines()
    assert f'{name}="{value}" cannot be used: it must be ' in line and allowed in line


@pytest.mark.parametrize("name, value", [
    (ENDPOINT, "http://user:hunter2@localhost:4318"), (ENDPOINT, "http://hunter2@localhost"),
    (ENDPOINT, "http://localhost:4318/?token=hunter2"), ("OTEL_EXPORTER_OTLP_HEADERS", "hunter2"),
    ("OTEL_EXPORTER_OTLP_HEADERS", "api key=hunter2"), ("OTEL_EXPORTER_OTLP_HEADERS", "key=hunter2%0d%0aEvil: 1"),
    ("OTEL_EXPORTER_OTLP_HEADERS", "key=hunter2%"), ("OTEL_EXPORTER_OTLP_HEADERS", "content-type=hunter2"),
    ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "=hunter2")])
def test_a_refused_value_that_may_hold_a_secret_is_not_repeated(name, value):
    outcome = run_to_the_end(**{ENDPOINT: "http://localhost:4318", name: value})
    assert outcome.returncode == 2
    line, = outcome.stderr.splitlines()
    assert line.startswith(f"bank-api: {name} cannot be used: it must be ") and "hunter2" not in line


def test_an_exporter_without_an_endpoint_stops_the_start():
    outcome = run_to_the_end(OTEL_TRACES_EXPORTER="otlp")
    assert outcome.returncode == 2 and ENDPOINT in outcome.stderr


def test_help_names_the_variables_of_tracing():
    said = run_to_the_end("--help").stdout
    for name in ("SDK_DISABLED", "TRACES_EXPORTER", "PROPAGATORS", "EXPORTER_OTLP_ENDPOINT", "EXPORTER_OTLP_HEADERS",
                 "EXPORTER_OTLP_TIMEOUT", "EXPORTER_OTLP_COMPRESSION", "EXPORTER_OTLP_PROTOCOL",
                 "EXPORTER_OTLP_CERTIFICATE", "EXPORTER_OTLP_CLIENT_CERTIFICATE", "EXPORTER_OTLP_TRACES_ENDPOINT",
                 "BSP_MAX_QUEUE_SIZE", "BSP_MAX_EXPORT_BATCH_SIZE", "BSP_SCHEDULE_DELAY", "BSP_EXPORT_TIMEOUT"):
        assert f"OTEL_{name}" in said, name
    assert "_CLIENT_KEY" in said and "OTEL_EXPORTER_OTLP_TRACES_..." in said


@pytest.mark.parametrize("switch", [{"OTEL_SDK_DISABLED": "TRUE"}, {"OTEL_TRACES_EXPORTER": "None"},
                                    {"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}])
def test_tracing_can_be_switched_off(start_traced, collector, switch):
    bank = start_traced(**switch)
    assert bank.transfer("alice", "bob", "1").headers["traceparent"].endswith("-00")
    bank.stop()
    assert collector.requests == []


def test_the_variables_for_traces_win(start_traced, collector):
    bank = start_traced(**{
        ENDPOINT: "http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{collector.endpoint}/own/path",
        "OTEL_EXPORTER_OTLP_HEADERS": "x-key=general", "OTEL_EXPORTER_OTLP_TRACES_HEADERS":
            "x-key = a%20b%2Cc , X-Empty=", "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
        "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION": "NONE", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json",
        "OTEL_TRACES_EXPORTER": "otlp", "OTEL_SDK_DISABLED": "false", "OTEL_TRACES_SAMPLER": "Always_ON"})
    collector.until_trace(bank.transfer("alice", "bob", "1").json()["trace_id"])
    path, headers, _ = collector.requests[0]
    assert path == "/own/path" and headers["x-key"] == "a b,c" and headers["X-Empty"] == ""
    assert "Content-Encoding" not in headers and headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("ending", ["", "/", "/otlp", "/otlp/"])
def test_the_path_is_added_to_the_endpoint(start_traced, collector, ending):
    bank = start_traced(**{ENDPOINT: collector.endpoint + ending})
    collector.until_trace(bank.transfer("alice", "bob", "1").json()["trace_id"])
    assert collector.requests[0][0] == ending.rstrip("/") + "/v1/traces"


def test_the_resource(start_traced, collector):
    """Each key once; OTEL_SERVICE_NAME wins over OTEL_RESOURCE_ATTRIBUTES, which wins over the program's own values."""
    bank = start_traced(OTEL_RESOURCE_ATTRIBUTES=" service.name = teller,a%2Cb=1 ,a%2cb= 2,service.version=7")
    collector.until_trace(bank.transfer("alice", "bob", "1").json()["trace_id"])
    resource = collector.requests[0][2]["resourceSpans"][0]["resource"]["attributes"]
    assert [(each["key"], each["value"]["stringValue"]) for each in resource] == [
        ("service.name", "teller"), ("service.version", "7"), ("a,b", "2")]


def certificates(folder):
    """A certificate authority and its certificate for localhost, made by openssl."""
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Lab authority", "-days", "2")
    openssl("req", *key, "-keyout", "own.key", "-out", "own.csr", "-subj", "/CN=localhost")
    (folder / "names").write_text("subjectAltName=DNS:localhost")
    openssl("x509", "-req", "-in", "own.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
            "-extfile", "names", "-out", "own.pem")


def test_certificates(start_traced, tmp_path):
    """TLS with a private authority, in both directions; without the authority's file nothing is sent."""
    certificates(tmp_path)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=tmp_path / "ca.pem")
    tls.load_cert_chain(tmp_path / "own.pem", tmp_path / "own.key")
    tls.verify_mode = ssl.CERT_REQUIRED
    secure = Collector(tls)
    try:
        files = {"OTEL_EXPORTER_OTLP_CERTIFICATE": tmp_path / "ca.pem",
                 "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": tmp_path / "own.pem",
                 "OTEL_EXPORTER_OTLP_CLIENT_KEY": tmp_path / "own.key"}
        bank = start_traced(**{ENDPOINT: secure.endpoint, **files})
        secure.until_trace(bank.transfer("alice", "bob", "1").json()["trace_id"])
        received = len(secure.requests)
        bank = start_traced(**{ENDPOINT: secure.endpoint, "OTEL_BSP_EXPORT_TIMEOUT": 100})
        bank.transfer("alice", "bob", "1")
        eventually(lambda: exported(bank)[1] > 0, "given up")
        assert len(secure.requests) == received
    finally:
        secure.stop()
