"""TLS to the client, to the server, and to both, with passwords of both kinds."""

import io
import shutil
import signal
import socket
import ssl
import subprocess

import psycopg2
import pytest
from application import make_accounts, paid_out, put_back
from certificates import Authority
from cluster import PASSWORD, USER, Cluster
from messages import SSL, TERMINATE, Wire, field, packet, query, startup
from proxy import PROGRAM, eventually

ROWS = 200_000
HBA = """
local     all all                          trust
hostssl   all certain      127.0.0.1/32    cert
hostnossl all encrypted    127.0.0.1/32    reject
host      all old          127.0.0.1/32    md5
host      all all          127.0.0.1/32    scram-sha-256
"""


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def own(authority):
    """The options of a proxy with a certificate."""
    certificate, key = authority.sign("proxy", alternatives="DNS:localhost,IP:127.0.0.1")
    return ["--tls-cert", certificate, "--tls-key", key]


@pytest.fixture(scope="module")
def servers(authority):
    """The certificate of the server, and its key."""
    return authority.sign("server")


@pytest.fixture(scope="module")
def cluster(authority, servers):
    """A private PostgreSQL with TLS."""
    cluster = Cluster()
    try:
        for file in (*servers, authority.file):
            shutil.copy(file, cluster.data)
            shutil.chown(cluster.data / file.name, cluster.folder.stat().st_uid)
            (cluster.data / file.name).chmod(0o600)
        (cluster.data / "pg_hba.conf").write_text(HBA)
        with open(cluster.data / "postgresql.conf", "a", encoding="utf-8") as conf:
            conf.write(f"ssl = on\nssl_cert_file = '{servers[0].name}'\nssl_key_file = '{servers[1].name}'\n"
                       f"ssl_ca_file = '{authority.file.name}'\n")
        cluster.start()
        for role in ("certain", "encrypted", "modern"):
            cluster.rows("postgres", f"CREATE ROLE {role} LOGIN PASSWORD 'secret'")
        cluster.rows("postgres", "SET password_encryption = 'md5'; CREATE ROLE old LOGIN PASSWORD 'secret'")
        yield cluster
    finally:
        cluster.remove()


@pytest.fixture
def upstream(cluster):
    """The server's URL with these options."""
    return lambda options="": f"{cluster.url_over_tcp('postgres')}?{options}"


def encryption(url):
    """Whether the client's connection has TLS, and the server's."""
    session = psycopg2.connect(url)
    try:
        with session.cursor() as cursor:
            cursor.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
            return session.info.ssl_in_use, cursor.fetchone()[0]
    finally:
        session.close()


@pytest.mark.parametrize("role", ["modern", "old"])
@pytest.mark.parametrize("to_server", ["disable", "require"])
@pytest.mark.parametrize("to_client", ["disable", "require"])
def test_each_side_alone_and_both(start_proxy, upstream, own, to_client, to_server, role):
    proxy = start_proxy(*own, upstream=upstream(f"sslmode={to_server}"))
    url = proxy.url("postgres", user=role, password="secret", options=f"?sslmode={to_client}&channel_binding=disable")
    assert encryption(url) == (to_client == "require", to_server == "require")


def test_the_server_gets_tls_where_it_has_it(start_proxy, upstream):
    """libpq's default is sslmode=prefer, and so is the proxy's."""
    proxy = start_proxy(upstream=upstream())
    assert encryption(proxy.url("postgres", user="encrypted", password="secret")) == (False, True)
    assert len(proxy.lines("SCRAM-SHA-256-PLUS is not offered")) == 1


def test_verified_on_both_sides(start_proxy, cluster, upstream, authority, own):
    options = f"sslmode=verify-full&sslrootcert={authority.file}"
    url = upstream(options).replace("127.0.0.1", "localhost")
    proxy = start_proxy(*own, upstream=url)
    assert encryption(proxy.url("postgres", options=f"?{options}&channel_binding=disable")) == (True, True)


@pytest.mark.parametrize("options, words", [
    ("sslmode=verify-full&sslrootcert={ca}", "IP address mismatch"),
    ("sslmode=verify-ca&sslrootcert={other}", "certificate of the other side is refused"),
    ("sslmode=require&sslrootcert={other}", "certificate of the other side is refused")])
def test_a_wrong_certificate_of_the_server(start_proxy, upstream, authority, tmp_path, options, words):
    other = Authority(tmp_path, "other").file
    proxy = start_proxy(upstream=upstream(options.format(ca=authority.file, other=other)))
    with pytest.raises(psycopg2.OperationalError, match=words):
        psycopg2.connect(proxy.url("postgres"))
    assert len(proxy.lines(words)) == 1


def test_prefer_takes_plain_text_after_a_failure(start_proxy, upstream, tmp_path):
    proxy = start_proxy(upstream=upstream(f"sslmode=prefer&sslrootcert={Authority(tmp_path, 'other').file}"))
    assert encryption(proxy.url("postgres")) == (False, False)


def test_a_certificate_for_the_server(start_proxy, upstream, authority):
    certificate, key = authority.sign("client", subject="certain")
    proxy = start_proxy(upstream=upstream(f"sslmode=require&sslcert={certificate}&sslkey={key}"))
    assert encryption(proxy.url("postgres", user="certain")) == (False, True)


# Passwords that are bound to a certificate


def test_a_bound_password_is_refused_by_name(start_proxy, upstream, own):
    proxy = start_proxy(*own, upstream=upstream("sslmode=require"))
    with pytest.raises(psycopg2.OperationalError, match="set channel_binding=disable"):
        psycopg2.connect(proxy.url("postgres", options="?sslmode=require"))
    assert len(proxy.lines("set channel_binding=disable")) == 1


def test_a_bound_password_passes_with_the_servers_certificate(start_proxy, upstream, servers):
    proxy = start_proxy("--tls-cert", servers[0], "--tls-key", servers[1], upstream=upstream("sslmode=require"))
    assert encryption(proxy.url("postgres", options="?sslmode=require&channel_binding=require")) == (True, True)


def test_the_offer_of_the_server_without_binding(start_proxy, upstream):
    proxy = start_proxy(upstream=upstream("sslmode=require"))
    with Wire(("127.0.0.1", proxy.port)) as wire:
        assert wire.send(startup(USER, "postgres")).message() == ("R", b"\0\0\0\x0aSCRAM-SHA-256\0\0")
        assert wire.is_silent(0.05)


# More than a password


@pytest.fixture
def encrypted(start_proxy, upstream, own, database):
    """A session with TLS on both sides, and its proxy."""
    proxy = start_proxy(*own, upstream=upstream("sslmode=require"))
    session = psycopg2.connect(proxy.url(database, options="?sslmode=require&channel_binding=disable"))
    session.autocommit = True
    yield proxy, session
    session.close()


def test_copy_both_ways(encrypted):
    with encrypted[1].cursor() as cursor:
        cursor.execute("CREATE TABLE many (id integer, word text)")
        rows = "".join(f"{i}\tword {i}\n" for i in range(ROWS))
        cursor.copy_expert("COPY many FROM STDIN", io.StringIO(rows))
        out = io.StringIO()
        cursor.copy_expert("COPY (SELECT * FROM many ORDER BY id) TO STDOUT", out)
        assert out.getvalue() == rows


def test_ctrl_c_in_psql(encrypted, cluster, database):
    url = encrypted[0].url(database, options="?sslmode=require&channel_binding=disable")
    command = ["psql", "-X", "-At", url, "-c", "SELECT pg_sleep(61)"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    eventually(lambda: cluster.rows("postgres", "SELECT 1 FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(61)'"
                                    " AND wait_event = 'PgSleep'"))
    process.send_signal(signal.SIGINT)
    assert "canceling statement due to user request" in process.communicate(timeout=30)[1]


def test_a_held_statement(start_proxy, cluster, upstream, own, database):
    make_accounts(cluster, database)
    put_back(cluster, database)
    proxy = start_proxy("--force", *own, upstream=upstream("sslmode=require"))
    assert paid_out(proxy.url(database, options="?sslmode=require&channel_binding=disable")) == 2
    assert len(proxy.lines("released together")) == 1


def test_prove_reaches_a_server_that_needs_tls(upstream):
    url = upstream("sslmode=require").replace(f"{USER}:", "encrypted:", 1).replace(PASSWORD, "secret")
    found = subprocess.run([PROGRAM, "prove", "--listen", "127.0.0.1:0", "--upstream", url, "--",
                            "sh", "-c", "psql -qX -c 'SELECT 1' \"$DATABASE_URL\""],
                           capture_output=True, text=True, timeout=60)
    assert "ran 1 statements" in found.stderr, found.stdout + found.stderr


def secure(wire, *protocols):
    """The same connection, with TLS from now on."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if protocols:
        context.set_alpn_protocols(protocols)
    wire.socket = context.wrap_socket(wire.socket)
    return wire


@pytest.fixture
def trusting(start_proxy, cluster, own):
    """A proxy with a certificate. Its server is reached by a Unix socket, and asks for no password."""
    return start_proxy(*own, upstream=cluster.url("postgres"))


def address(proxy):
    return "127.0.0.1", proxy.port


def test_a_client_that_begins_with_tls(trusting, database):
    with secure(Wire(address(trusting)), "postgresql") as wire:
        assert wire.socket.selected_alpn_protocol() == "postgresql"
        wire.start(USER, database)
        assert wire.send(query("SELECT 42")).until("Z")[1] == ("D", b"\0\x01\0\0\0\x0242")
        wire.send(TERMINATE)
        assert wire.rest() == b""


@pytest.mark.parametrize("protocols", [[], ["http/1.1"]])
def test_a_client_that_begins_with_tls_and_another_protocol(trusting, protocols):
    with pytest.raises((ssl.SSLError, AssertionError, ConnectionResetError)):
        with secure(Wire(address(trusting)), *protocols) as wire:
            wire.start(USER, "postgres")
    eventually(lambda: trusting.lines("TLS with the client has failed"))


def test_what_comes_before_tls_is_refused(trusting):
    with Wire(address(trusting)) as wire:
        kind, body = wire.send(packet(SSL) + startup(USER, "postgres")).message()
        assert (kind, field(body, "C")) == ("E", "08P01")
        assert wire.rest() == b""


@pytest.mark.parametrize("bytes_", [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\0" + b"x" * 600, b"", b"\x16"])
def test_garbage_instead_of_tls(trusting, database, bytes_):
    before = trusting.descriptors()
    with Wire(address(trusting)) as wire:
        assert wire.send(packet(SSL)).exactly(1) == b"S"
        wire.send(bytes_)
        wire.socket.shutdown(socket.SHUT_WR)
        wire.rest()
    eventually(lambda: trusting.lines("TLS with the client has failed"))
    eventually(lambda: trusting.descriptors() == before)
    assert encryption(trusting.url(database, options="?sslmode=require"))[0]


def test_a_second_request_inside_of_tls(trusting):
    with Wire(address(trusting)) as wire:
        wire.send(packet(SSL)).exactly(1)
        secure(wire)
        kind, body = wire.send(packet(SSL)).message()
        assert (kind, field(body, "C")) == ("E", "0A000")


def test_a_client_closes_its_half(trusting, database):
    with Wire(address(trusting)) as wire:
        wire.send(packet(SSL)).exactly(1)
        secure(wire).start(USER, database)
        wire.send(query("SELECT pg_sleep(0.1)"))
        socket.socket.shutdown(wire.socket, socket.SHUT_WR)
        assert wire.until("Z")[1][0] == "D"


def test_a_client_that_never_reads_stops_only_itself(trusting, cluster, database):
    with Wire(address(trusting)) as wire:
        wire.send(packet(SSL)).exactly(1)
        secure(wire).start(USER, database)
        before = trusting.resident_kib()
        wire.send(query("SELECT repeat('x', 1000) FROM generate_series(1, 1000000)"))
        eventually(lambda: cluster.rows("postgres", "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'SELECT repeat%%'"
                                        " AND wait_event = 'ClientWrite'"))
        assert encryption(trusting.url(database, options="?sslmode=require"))[0]
        assert trusting.grows_by_less(before, 2000)


def test_idle_sessions_are_small(start_proxy, upstream, own):
    proxy = start_proxy(*own, upstream=upstream("sslmode=require"))
    url = proxy.url("postgres", options="?sslmode=require&channel_binding=disable")
    sessions = [psycopg2.connect(url)]
    before = proxy.resident_kib()
    sessions += [psycopg2.connect(url) for _ in range(20)]
    assert proxy.grows_by_less(before, 20 * 64)
    for session in sessions:
        session.close()


# A proxy without a certificate, and servers that are none


def test_a_client_that_needs_tls_is_named_in_the_log(start_proxy, cluster):
    proxy = start_proxy(upstream=cluster.url("postgres"))
    with pytest.raises(psycopg2.OperationalError, match="server does not support SSL"):
        psycopg2.connect(proxy.url("postgres", options="?sslmode=require"))
    eventually(lambda: len(proxy.lines("the client wants TLS, and the proxy has no certificate")) == 1)


@pytest.mark.parametrize("answer, words", [
    (b"", "closed the connection when it was asked for TLS"), (b"H", "does not answer as PostgreSQL does"),
    (b"N", "sslmode=require needs it"), (b"S", "TLS has failed"), (b"Sgarbage" * 9, "TLS has failed")])
def test_a_server_that_ends_the_handshake(start_proxy, answer, words):
    with socket.create_server(("127.0.0.1", 0)) as server:
        proxy = start_proxy(upstream=f"postgresql://127.0.0.1:{server.getsockname()[1]}/x?sslmode=require")
        with Wire(address(proxy)) as wire:
            wire.send(startup("a", "b"))
            with server.accept()[0] as accepted:
                assert accepted.recv(100) == packet(SSL)
                accepted.sendall(answer)
                accepted.shutdown(socket.SHUT_WR)
                kind, body = wire.message()
        assert (kind, field(body, "C")) == ("E", "08001") and words in field(body, "M")
        assert len(proxy.lines(words)) == 1


@pytest.mark.parametrize("arguments, status, words", [
    (["--tls-cert", "/dev/null"], 2, "belong together"),
    (["--tls-cert", "/nonexistent", "--tls-key", "/nonexistent"], 1, "the certificate /nonexistent cannot be used"),
    (["--upstream", "host=127.0.0.1 sslmode=require sslcert=/dev/null sslkey=/dev/null"], 1, "/dev/null cannot be used"),
    (["--upstream", "host=127.0.0.1 sslmode=sometimes"], 2, "sslmode")])
def test_wrong_options(arguments, status, words):
    found = subprocess.run([PROGRAM, "--listen", "127.0.0.1:0", *arguments], capture_output=True, text=True, timeout=30)
    assert (found.returncode, words in found.stderr) == (status, True), found.stderr
