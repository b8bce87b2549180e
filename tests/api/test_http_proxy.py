"""Behind a real nginx: the events arrive, and the page's requests work when the operator has named its origin."""

import http.client
import shutil
import ssl
import subprocess
import urllib.error
import urllib.request

import pytest

from client import JSON_TYPE, Client, transfer_body
from cluster import free_port
from pace import HANG_GUARD, eventually
from problem import assert_problem

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")

CONFIGURATION = """
daemon off; master_process off; error_log {folder}/error.log; pid {folder}/pid;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder}; uwsgi_temp_path {folder};
    scgi_temp_path {folder};
    server {{
        listen 127.0.0.1:{plain};
        listen 127.0.0.1:{secure} ssl;
        ssl_certificate {folder}/certificate; ssl_certificate_key {folder}/key;
        location / {{ proxy_pass http://127.0.0.1:{bank}; {more} }}
    }}
}}
"""


class Proxy:
    """nginx with its defaults in front of a bank."""

    def __init__(self, folder, bank, more=""):
        self.plain, self.secure = free_port(), free_port()
        self.folder = folder
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost",
                        "-addext", "subjectAltName=DNS:localhost", "-keyout", folder / "key", "-out",
                        folder / "certificate"], check=True, stderr=subprocess.DEVNULL)
        (folder / "nginx.conf").write_text(CONFIGURATION.format(folder=folder, plain=self.plain, secure=self.secure,
                                                                bank=bank.port, more=more))
        self.process = subprocess.Popen([NGINX, "-p", folder, "-c", folder / "nginx.conf", "-e", folder / "error.log"],
                                        stdin=subprocess.DEVNULL)
        eventually(self._answers, "nginx answers")

    def _answers(self):
        assert self.process.poll() is None, (self.folder / "error.log").read_text()
        try:
            with Client(self.plain) as client:
                return client.get("/health").status == 200
        except OSError:
            return False

    def post(self, target, origin, body=None):
        """Sends a POST of a page of that origin, over TLS; returns the status."""
        context = ssl.create_default_context(cafile=self.folder / "certificate")
        request = urllib.request.Request(f"https://localhost:{self.secure}{target}", body and body.encode(),
                                         {**JSON_TYPE, "Origin": origin}, method="POST")
        try:
            with urllib.request.urlopen(request, context=context, timeout=HANG_GUARD) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    def stop(self):
        self.process.terminate()
        self.process.wait()


@pytest.fixture
def start_proxy(tmp_path):
    if not NGINX or not shutil.which("openssl"):
        pytest.skip("nginx or openssl is not installed")
    started = []

    def start(bank, more=""):
        started.append(Proxy(tmp_path, bank, more))
        return started[-1]

    yield start
    for proxy in started:
        proxy.stop()


def test_events_arrive(bank, start_proxy):
    """nginx forwards them at once and does not wait for a full buffer."""
    proxy = start_proxy(bank)
    connection = http.client.HTTPConnection("127.0.0.1", proxy.plain, timeout=HANG_GUARD)
    connection.request("GET", "/events")
    stream = connection.getresponse()
    assert stream.headers["Content-Type"] == "text/event-stream"
    bank.set(delay_ms=7)
    while b'"delay_ms":7' not in stream.readline():
        pass
    connection.close()


@pytest.mark.parametrize("more", ["", "proxy_set_header Host $host;", "proxy_set_header Host $http_host;"])
def test_the_page_behind_tls(start_bank, start_proxy, more):
    """The page's origin is https, which the bank cannot know, so the operator configures it."""
    bank = start_bank(BANK_API_PUBLIC_ORIGINS="https://lab.example, https://localhost:1")
    proxy = start_proxy(bank, more)
    for origin, status in ((f"https://localhost:{proxy.secure}", 403), ("https://lab.example", 200),
                           ("HTTPS://LAB.example:443", 200), ("https://lab.example:8443", 403),
                           ("http://lab.example", 403), ("https://lab.example.evil.example", 403)):
        assert proxy.post("/admin/delay?enabled=false", origin) == status, origin
    assert proxy.post("/transfer", "https://lab.example", transfer_body("alice", "bob", "1")) == 200


def test_the_refusal_says_what_was_compared(bank):
    """The refusal also names the variable to set."""
    answer = bank.request("POST", "/reset", None, {"Host": "localhost:8000", "Origin": "https://lab.example"})
    detail = assert_problem(answer, 403)["detail"]
    assert '"https://lab.example"' in detail and '"http://localhost:8000"' in detail
    assert "BANK_API_PUBLIC_ORIGINS" in detail


def test_default_ports_are_filled_in(bank):
    """Browsers leave the scheme's default port out of Host and Origin."""
    for host, origin in (("localhost", "http://localhost:80"), ("localhost:80", "http://localhost"),
                         ("LOCALHOST:", "HTTP://localhost")):
        answer = bank.request("POST", "/admin/delay?enabled=false", None, {"Host": host, "Origin": origin})
        assert answer.status == 200, (host, origin)


def test_the_host_of_a_public_origin(start_bank):
    """A proxy may pass the Host on: naming the origin is enough."""
    bank = start_bank(BANK_API_PUBLIC_ORIGINS="https://lab.example")
    for host, status in (("lab.example", 200), ("lab.example:8080", 200), ("www.lab.example", 421)):
        assert bank.get("/health", Host=host).status == status, host
