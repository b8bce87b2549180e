#!/usr/bin/python3
"""The program behind `./lab cluster`: starts three PostgreSQL under Patroni and three banks behind HAProxy, kills parts
of them under load, and says what became of every transfer.

    failover.py up|failover|status|down --place FOLDER --program BANK_API [options]

The exit status of failover is 0 if the promises of the mode held, 1 if not; that of status is 0 if all runs, 3 if
not."""

import argparse
import json
import os
import pathlib
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from machines import settings, verdict  # noqa: E402
from machines.blows import BLOWS  # noqa: E402
from machines.clients import Load  # noqa: E402
from machines.cluster import BANKS, MEMBERS, Cluster, request  # noqa: E402
from machines.process import Failure, wait_until  # noqa: E402

COLUMNS = ("round", "struck", "acknowledged", "lost", "twice", "unknown", "was_there", "posted_now", "gap_s", "drift")


class Parser(argparse.ArgumentParser):
    """Its errors are one line, as all of the launcher's."""

    def error(self, message):
        sys.exit(f"lab: cluster: {message}: './lab cluster --help' describes the options")


def at_least_one(text):
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return number


def options_of(arguments):
    parser = Parser(prog="lab cluster", add_help=False, allow_abbrev=False)
    actions = parser.add_subparsers(dest="action", required=True)
    for action in ("up", "failover", "status", "down"):
        options = actions.add_parser(action, prog=f"lab cluster {action}", add_help=False, allow_abbrev=False)
        options.add_argument("--place", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
        options.add_argument("--program", help=argparse.SUPPRESS)
        options.add_argument("--check-options", action="store_true", help=argparse.SUPPRESS)
        if action in ("up", "failover"):
            options.add_argument("--mode", choices=("async", "sync"))
        if action == "status":
            options.add_argument("--bank-ports", action="store_true", help=argparse.SUPPRESS)
        if action == "failover":
            options.add_argument("--kill", choices=tuple(BLOWS), default="leader")
            options.add_argument("--clients", type=at_least_one, default=8)
            options.add_argument("--rounds", type=at_least_one, default=1)
            options.add_argument("--seconds", type=at_least_one, default=5)
            options.add_argument("--json", action="store_true")
    return parser.parse_args(arguments)


def say(text):
    print(text, file=sys.stderr, flush=True)


# up, status, down

def up(cluster, options):
    if cluster.is_up():
        say(f"The cluster is up already, in {cluster.mode} mode.")
        if options.mode and options.mode != cluster.mode:
            cluster.set_mode(options.mode)
            say(f"It is in {options.mode} mode now.")
    else:
        start(cluster, options.mode or "sync")
    print_addresses(cluster)
    return 0


def start(cluster, mode):
    if cluster.is_made:
        say("Parts of an earlier cluster are left: they are ended and removed first.")
        take_down(cluster)
    cluster.start(mode, lambda part: say(f"Starting {part} ..."))


def print_addresses(cluster):
    ports = cluster.ports
    print(f"  Bank API     http://127.0.0.1:{ports['bank']}   (HAProxy, before the banks "
          f"{', '.join(str(ports[f'bank-{name}']) for name in BANKS)})")
    print(f"  PostgreSQL   {', '.join(f'{name} 127.0.0.1:{ports[name]}' for name in MEMBERS)}")
    print(f"  Patroni      {', '.join(str(ports[f'{name}-api']) for name in MEMBERS)}   etcd {ports['etcd']}")
    print(f"  Files, logs  {cluster.place}")
    print(f"  Replication  {cluster.mode}hronous" if cluster.mode == "sync" else "  Replication  asynchronous")
    print("\nThen: ./lab cluster failover | ./lab cluster status | ./lab cluster down")


def status(cluster, options):
    if options.bank_ports:
        print(*(f"127.0.0.1:{cluster.ports[f'bank-{name}']}" for name in BANKS))
        return 0
    if not cluster.is_made:
        print("The cluster does not run: './lab cluster up' starts it")
        return 3
    members = cluster.members()
    for name in MEMBERS:
        print_member(cluster, name, members.get(name))
    for name in BANKS:
        _, health = request(cluster.ports[f"bank-{name}"], "GET", "/health")
        print_line(f"bank {name}", cluster.ports[f"bank-{name}"], cluster.banks[name].pid(),
                   f"database {health['database']}" if health else "no answer")
    code, _ = request(cluster.ports["bank"], "GET", "/health")
    print_line("HAProxy", cluster.ports["bank"], cluster.haproxy.pid(),
               "a bank answers" if code == 200 else "no bank answers")
    healthy, _ = request(cluster.ports["etcd"], "GET", "/health")
    print_line("etcd", cluster.ports["etcd"], cluster.etcd.pid(), "healthy" if healthy == 200 else "no answer")
    print(f"Replication is {'synchronous' if cluster.mode == 'sync' else 'asynchronous'}.")
    return 0 if cluster.is_up() and code == 200 and cluster.is_whole() else 3


def print_member(cluster, name, member):
    words = "unknown to Patroni"
    if member:
        lag = f", lag {member['lag']} bytes" if "lag" in member else ""
        words = f"{member['role'].replace('_', ' ')}, {member['state']}{lag}"
    print_line(name, cluster.ports[name], cluster.postmaster(name), words)


def print_line(name, port, pid, words):
    print(f"{name:<8} 127.0.0.1:{port:<6} {f'pid {pid}' if pid else 'stopped':<12} {words}")


def down(cluster, _):
    if not cluster.is_made:
        print("The cluster does not run")
        return 0
    take_down(cluster)
    print(f"The cluster has ended and its databases are removed. Its logs: {cluster.place / 'log'}")
    return 0


def take_down(cluster):
    left = cluster.stop()
    if left:
        raise Failure(f"these do not end: {', '.join(left)}; nothing was removed from {cluster.place}")
    cluster.remove()


# failover

def failover(cluster, options):
    was_up = cluster.is_up()
    if cluster.is_made and not was_up:
        raise Failure("parts of the cluster do not run ('./lab cluster status' shows which): './lab cluster down' first")
    try:
        if not was_up:
            start(cluster, options.mode or "sync")
        if options.mode and options.mode != cluster.mode:
            cluster.set_mode(options.mode)
        cluster.wait_whole()
        return play(cluster, options)
    finally:
        if not was_up:
            say("Ending the cluster, because it was not up before.")
            take_down(cluster)


def play(cluster, options):
    blow_words = BLOWS[options.kill].words
    say(f"In each round {options.clients} clients send transfers, each with a key of its own; after {options.seconds} s "
        f"{blow_words}.")
    code, _ = request(cluster.ports["bank"], "POST", "/reset", timeout=60)
    if code != 200:
        raise Failure(f"POST /reset: status {code}")
    verdict.make_accounts(cluster)
    loads, rounds = [], []
    if not options.json:
        print(table_line(dict(zip(COLUMNS, COLUMNS, strict=True))))
    for number in range(1, options.rounds + 1):
        load, figures = play_round(cluster, options, number)
        loads.append(load)
        rounds.append(figures)
        if not options.json:
            print(table_line(figures), flush=True)
    return conclude(cluster, options, loads, rounds)


def table_line(figures):
    widths = {"struck": 8, "acknowledged": 13, "was_there": 10, "posted_now": 11}
    cells = [(f"{figures[name]:.2f}" if isinstance(figures[name], float) and name == "drift" else
              str(figures[name]).replace("_", " ")).rjust(widths.get(name, 8)) for name in COLUMNS]
    return "".join(cells).rstrip()


def play_round(cluster, options, number):
    load = Load(cluster.ports["bank"], options.clients, f"{int(time.time())}-{number}")
    blow = BLOWS[options.kill]()
    load.start()
    try:
        time.sleep(options.seconds)
        struck = strike(cluster, blow, load)
        time.sleep(options.seconds)
    finally:
        load.stop()
    if blow.waits_for_leader:
        blow.repair(cluster)
    cluster.wait_whole()
    resolved = verdict.resolve_all(cluster.ports["bank"], load)
    found, without_key = verdict.records(cluster)
    figures = verdict.judge(load, resolved, found, without_key, verdict.drift(cluster))
    return load, {"round": number, "struck": struck, **figures}


def strike(cluster, blow, load):
    """Breaks something, and waits until transfers are acknowledged again. A dead leader is repaired after the load has
    ended, so that it does not come back as the leader."""
    struck = blow.strike(cluster)
    moment = time.monotonic()
    try:
        if blow.waits_for_leader:
            wait_until(cluster.leader, "another leader", 90, cluster.place / "log")
            moment = time.monotonic()
        time.sleep(blow.lasts)
        wait_until(lambda: load.acknowledged_since(moment) or load.failure, "a transfer after the blow", 90,
                   cluster.place / "log")
    finally:
        if not blow.waits_for_leader:
            blow.repair(cluster)
    return struck


def conclude(cluster, options, loads, rounds):
    """The verdict over all rounds: a later failover must not have lost what an earlier round found."""
    found, without_key = verdict.records(cluster)
    total = {name: sum(figures[name] for figures in rounds)
             for name in ("acknowledged", "unknown", "with_id", "was_there", "posted_now", "unresolved", "refused")}
    total["lost"] = sum(1 for load in loads for key, (identity, _) in load.acknowledged.items()
                        if found.get(key) != identity)
    total.update(twice=without_key, gap_s=max(figures["gap_s"] for figures in rounds), drift=verdict.drift(cluster))
    broken = verdict.broken_promises(cluster.mode, total)
    if options.json:
        print(json.dumps({"mode": cluster.mode, "kill": options.kill, "ttl_s": settings.TTL, "rounds": rounds,
                          "total": total, "broken": broken}, indent=1))
    else:
        print_verdict(cluster.mode, options, rounds, total, broken)
    return 1 if broken else 0


def print_verdict(mode, options, rounds, total, broken):
    rounds_with_loss = sum(1 for figures in rounds if figures["lost"])
    print(f"\nAcknowledged {total['acknowledged']}, lost {total['lost']}, posted twice {total['twice']}, "
          f"drift {total['drift']:.2f}, longest gap {total['gap_s']} s (a lock of the leader lasts {settings.TTL} s).")
    print(f"Unknown {total['unknown']}, {total['with_id']} of them with an id: {total['was_there']} had been posted, "
          f"{total['posted_now']} had not and are posted now, {total['unresolved']} unresolved.")
    if mode == "async":
        print(f"Asynchronous replication: a transfer is acknowledged before a standby has it. {rounds_with_loss} of "
              f"{len(rounds)} rounds lost acknowledged transfers; that is what this mode allows.")
    for words in broken:
        print(f"NOT AS PROMISED: {words}.")
    if not broken:
        print("Held: " + ("no acknowledged transfer is lost, " if mode == "sync" else "") +
              "none is posted twice, the books balance, every unknown outcome is resolved, and the gap is at most "
              f"{verdict.LONGEST_GAP} s.")


def main():
    options = options_of(sys.argv[1:])
    if options.check_options:
        return 0
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda received, _: sys.exit(128 + received))
    cluster = Cluster(options.place, options.program)
    return {"up": up, "failover": failover, "status": status, "down": down}[options.action](cluster, options)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as failure:
        sys.exit(f"lab: cluster: {failure}")
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # the reader of the output has ended, such as head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
