"""The settings of the programs of the cluster: etcd, Patroni with PostgreSQL, HAProxy, bank-api."""

import json

TTL = 20  # seconds until the lock of a leader that is gone expires; Patroni allows no less
LOOP_WAIT = 2
RETRY_TIMEOUT = 5  # Patroni wants LOOP_WAIT + 2 * RETRY_TIMEOUT <= TTL
BANK_DATABASE = "bank"

POSTGRESQL = {
    "max_connections": 200,
    "shared_buffers": "64MB",
    "wal_keep_size": "256MB",
    # A standby that hangs keeps its connection. The primary gives it up after this time, and Patroni chooses another.
    "wal_sender_timeout": "5s",
    "wal_receiver_timeout": "5s",
    "log_line_prefix": "%m [%p] ",
}


def dynamic(mode):
    """The part that Patroni keeps in etcd. failsafe_mode: while etcd is unavailable, a leader that every member answers
    stays the leader. maximum_lag_on_failover: a standby may take over however much it lacks, up to this size."""
    return {
        "ttl": TTL,
        "loop_wait": LOOP_WAIT,
        "retry_timeout": RETRY_TIMEOUT,
        "maximum_lag_on_failover": 1 << 30,
        "failsafe_mode": True,
        "synchronous_mode": mode == "sync",
        "postgresql": {"use_pg_rewind": True, "use_slots": True, "parameters": POSTGRESQL},
    }


def patroni(name, folder, ports, secrets, bin_dir, mode):
    """The text of patroni.yml. JSON is YAML too. There is no Unix socket, because the path of a checkout may be too
    long for one; every connection is by TCP and has a password."""
    address = f"127.0.0.1:{ports[name]}"
    api = f"127.0.0.1:{ports[f'{name}-api']}"
    return json.dumps({
        "scope": "lab",
        "name": name,
        "restapi": {"listen": api, "connect_address": api,
                    "authentication": {"username": "lab", "password": secrets["patroni"]}},
        "etcd3": {"hosts": [f"127.0.0.1:{ports['etcd']}"]},
        "bootstrap": {"dcs": dynamic(mode),
                      "initdb": [{"encoding": "UTF8"}, {"locale": "C.UTF-8"}, "no-sync", {"auth-host": "scram-sha-256"}]},
        "postgresql": {
            "listen": address,
            "connect_address": address,
            "data_dir": str(folder / "data"),
            "bin_dir": str(bin_dir),
            "pgpass": str(folder / "pgpass"),
            "authentication": {
                "superuser": {"username": "postgres", "password": secrets["postgres"]},
                "replication": {"username": "replicator", "password": secrets["replicator"]},
                "rewind": {"username": "rewind", "password": secrets["rewind"]},
            },
            "parameters": {"unix_socket_directories": ""},
            "pg_hba": ["host all all 127.0.0.1/32 scram-sha-256",
                       "host replication replicator 127.0.0.1/32 scram-sha-256"],
            "basebackup": [{"checkpoint": "fast"}],
            # The old leader may have transactions that the new one has not. If pg_rewind cannot undo them, the copy is
            # made again.
            "remove_data_directory_on_rewind_failure": True,
            "remove_data_directory_on_diverged_timelines": True,
        },
        "watchdog": {"mode": "off"},
    }, indent=1)


def etcd(folder, ports):
    client, peer = f"http://127.0.0.1:{ports['etcd']}", f"http://127.0.0.1:{ports['etcd-peer']}"
    return ["etcd", "--name", "lab", "--data-dir", str(folder / "data"), "--logger", "zap",
            "--listen-client-urls", client, "--advertise-client-urls", client, "--listen-peer-urls", peer,
            "--initial-advertise-peer-urls", peer, "--initial-cluster", f"lab={peer}"]


def haproxy(ports, banks):
    """HAProxy sends a request again only if it could not connect, which is certain to have had no effect."""
    servers = "\n".join(f"    server {bank} 127.0.0.1:{ports[f'bank-{bank}']}" for bank in banks)
    return f"""global
    maxconn 4000
defaults
    mode http
    timeout connect 2s
    timeout client 60s
    timeout server 30s
    retries 2
    retry-on conn-failure
    option redispatch
frontend bank
    bind 127.0.0.1:{ports['bank']}
    default_backend banks
backend banks
    balance roundrobin
    option httpchk GET /health
    http-check expect status 200
    default-server check inter 500ms fall 2 rise 1
{servers}
"""


def bank_environment(name, ports, secrets, members):
    """libpq takes the first of the hosts that accepts writes, which is the leader."""
    hosts = ",".join(f"127.0.0.1:{ports[member]}" for member in members)
    return {"DATABASE_URL": f"postgresql://bank:{secrets['bank']}@{hosts}/{BANK_DATABASE}"
                            "?target_session_attrs=read-write&connect_timeout=2",
            "BANK_API_PORT": str(ports[f"bank-{name}"]), "BANK_API_REPLICA": name, "LOG_FORMAT": "text"}
