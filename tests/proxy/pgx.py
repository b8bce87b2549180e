#!/usr/bin/env python3
"""pgx's own tests, directly and through race-proxy: the tests that pass must be the same.

Needs go, which fetches the module with its checksum. It takes about six minutes, so it is no test of CTest:

    tests/proxy/pgx.py [--version v5.13.0] [--postgres FOLDER] [--packages './pgconn ./pgxpool'] [GO_TEST_OPTION...]
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

MODULE = "github.com/jackc/pgx/v5"
DATABASE = "pgx_test"
TEMPORARY = re.compile(r"(?<=[a-z])\d+(?=/\d{3}/)")  # in the names of tests that have the path of t.TempDir()
HBA = """
local   all all         trust
host    all pgx_md5     127.0.0.1/32 md5
host    all pgx_scram   127.0.0.1/32 scram-sha-256
host    all pgx_pw      127.0.0.1/32 password
hostssl all pgx_ssl     127.0.0.1/32 scram-sha-256
host    all postgres    127.0.0.1/32 scram-sha-256
"""


def go(*arguments, folder, **settings):
    return subprocess.run(["go", *arguments], cwd=folder, check=True, capture_output=True, text=True, **settings).stdout


def fetch(version, work):
    """A copy of the module that can be written to."""
    (work / "go.mod").write_text("module fetch\n")
    found = json.loads(go("mod", "download", "-json", f"{MODULE}@{version}", folder=work))
    shutil.copytree(found["Dir"], work / "pgx")
    subprocess.run(["chmod", "-R", "u+w", work / "pgx"], check=True)
    return work / "pgx"


def prepare(cluster, certificate, key, module):
    """TLS, and the users and types that the tests use."""
    for file in (certificate, key):
        shutil.copy(file, cluster.data)
        shutil.chown(cluster.data / file.name, cluster.folder.stat().st_uid)
        (cluster.data / file.name).chmod(0o600)
    (cluster.data / "pg_hba.conf").write_text(HBA)
    with open(cluster.data / "postgresql.conf", "a", encoding="utf-8") as conf:
        conf.write(f"ssl = on\nssl_cert_file = '{certificate.name}'\nssl_key_file = '{key.name}'\n")
    cluster.start()
    cluster.new_database(DATABASE)
    setup = module / "testsetup/postgresql_setup.sql"
    subprocess.run(["psql", "-qX", "-v", "ON_ERROR_STOP=1", "-f", setup, cluster.url(DATABASE)], check=True)


def results(module, port, authority, package, options):
    """The outcome (pass, fail, skip) of each test of the package against this port, and what it has printed."""
    base = f"host=127.0.0.1 port={port} dbname={DATABASE} password=secret"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    environment |= {
        "PGX_TEST_DATABASE": f"{base} user=pgx_scram",
        "PGX_TEST_TCP_CONN_STRING": f"{base} user=pgx_md5",
        "PGX_TEST_PLAIN_PASSWORD_CONN_STRING": f"{base} user=pgx_pw",
        "PGX_TEST_MD5_PASSWORD_CONN_STRING": f"{base} user=pgx_md5",
        "PGX_TEST_SCRAM_PASSWORD_CONN_STRING": f"{base} user=pgx_scram",
        "PGX_TEST_SCRAM_PLUS_CONN_STRING": f"host=localhost port={port} dbname={DATABASE} user=pgx_ssl password=secret "
                                           f"sslmode=verify-full sslrootcert={authority} channel_binding=require",
        "PGX_TEST_TLS_CONN_STRING": f"host=localhost port={port} dbname={DATABASE} user=pgx_ssl password=secret "
                                    f"sslmode=verify-full sslrootcert={authority}",
    }
    # -trimpath: the compiled packages are found again in the next run, whose folder has another name.
    command = ["go", "test", "-json", "-count=1", "-p", "1", "-vet=off", "-trimpath", *options, package]
    found = subprocess.run(command, cwd=module, env=environment, capture_output=True, text=True)
    outcomes, words = {}, {}
    for line in found.stdout.splitlines():
        event = json.loads(line)
        if "Test" in event:
            name = TEMPORARY.sub("", event["Test"])
            words.setdefault(name, []).append(event.get("Output", ""))
            if event["Action"] in ("pass", "fail", "skip"):
                outcomes[name] = event["Action"]
    failed_outside = found.returncode != 0 and "fail" not in outcomes.values()
    assert not failed_outside, found.stderr + found.stdout
    return outcomes, words


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--version", default="v5.13.0")
    parser.add_argument("--postgres", help="the folder of initdb and pg_ctl")
    parser.add_argument("--packages", default="./...", help="separated by blanks; default: all")
    arguments, options = parser.parse_known_args()
    if arguments.postgres:
        os.environ["LAB_POSTGRES_BIN"] = arguments.postgres
    # Imported here, because it reads LAB_POSTGRES_BIN.
    import proxy
    from certificates import Authority
    from cluster import Cluster

    with tempfile.TemporaryDirectory(prefix="lab-pgx-") as name:
        work = pathlib.Path(name)
        module = fetch(arguments.version, work)
        authority = Authority(work)
        certificate, key = authority.sign("server")
        cluster = Cluster()
        try:
            prepare(cluster, certificate, key, module)
            tls = ("--tls-cert", certificate, "--tls-key", key)
            with proxy.running(cluster.url_over_tcp("postgres"), work / "proxy.log", *tls) as running:
                is_same = True
                for package in go("list", *arguments.packages.split(), folder=module).split():
                    direct, _ = results(module, cluster.port, authority.file, package, options)
                    through, words = results(module, running.port, authority.file, package, options)
                    is_same &= report(package, direct, through, words)
        finally:
            cluster.remove()
    return 0 if is_same else 1


def counts(outcomes):
    kinds = list(outcomes.values())
    return f"{kinds.count('pass')} passed, {kinds.count('fail')} failed, {kinds.count('skip')} skipped"


def report(package, direct, through, words):
    """Prints the differences. True: there are none."""
    if direct or through:
        print(f"{package}: directly {counts(direct)}; through the proxy {counts(through)}", flush=True)
    changed = [name for name in sorted(direct.keys() | through.keys()) if direct.get(name) != through.get(name)]
    for name in changed:
        print(f"{name}: {direct.get(name)} directly, {through.get(name)} through the proxy")
        print("".join(words.get(name, [])))
    return not changed


if __name__ == "__main__":
    sys.exit(main())
