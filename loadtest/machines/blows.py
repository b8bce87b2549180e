"""The faults under load. Each blow breaks something and can repair it. PostgreSQL and its Patroni are killed as a
machine dies: every process at once, without a word to the others."""

import signal
import time

from machines import settings
from machines.process import send

SUSPENDED = 0.5  # seconds for which nothing is sent to the standbys before the leader dies
LONGER_THAN_TTL = settings.TTL + 5


class Blow:
    """`words` says what happens. `waits_for_leader`: the load goes on until another member leads."""

    words = ""
    waits_for_leader = False
    lasts = 0.0  # seconds from the blow to the repair, while the load goes on

    def strike(self, cluster):
        """Returns what was struck, in a word or two."""
        raise NotImplementedError

    def repair(self, cluster):
        pass


class KillLeader(Blow):
    words = (f"the walsenders of the leader are stopped (SIGSTOP) for {SUSPENDED} s, as if its network was gone, then "
             "Patroni and every process of its PostgreSQL are killed (SIGKILL)")
    waits_for_leader = True

    def strike(self, cluster):
        self.name = cluster.leader()
        stopped = cluster.walsenders(self.name)
        try:
            send(stopped, signal.SIGSTOP)
            time.sleep(SUSPENDED)
            send(cluster.machine(self.name), signal.SIGKILL)
        finally:
            send(stopped, signal.SIGCONT)  # only an interrupt has left them alive
        return self.name

    def repair(self, cluster):
        cluster.start_patroni(self.name)


class KillStandby(Blow):
    words = "Patroni and every process of a standby's PostgreSQL are killed (SIGKILL), the synchronous one's if there is one"
    lasts = 10.0

    def strike(self, cluster):
        self.name = cluster.standby()
        send(cluster.machine(self.name), signal.SIGKILL)
        return self.name

    def repair(self, cluster):
        cluster.start_patroni(self.name)


class HangStandby(Blow):
    words = (f"Patroni and every process of a standby's PostgreSQL hang (SIGSTOP) for {LONGER_THAN_TTL} s, the synchronous "
             "one's if there is one")
    lasts = float(LONGER_THAN_TTL)

    def strike(self, cluster):
        self.name = cluster.standby()
        self.stopped = cluster.machine(self.name)
        send(self.stopped, signal.SIGSTOP)
        return self.name

    def repair(self, cluster):
        send(self.stopped, signal.SIGCONT)


class KillReplica(Blow):
    words = "one bank-api is killed (SIGKILL)"
    lasts = 5.0

    def strike(self, cluster):
        self.name = next(name for name, bank in cluster.banks.items() if bank.pid())
        cluster.banks[self.name].kill()
        return f"bank {self.name}"

    def repair(self, cluster):
        cluster.start_bank(self.name)
        cluster.wait_bank(self.name)


class KillEtcd(Blow):
    words = f"etcd is killed (SIGKILL), and comes back after {LONGER_THAN_TTL} s"
    lasts = float(LONGER_THAN_TTL)

    def strike(self, cluster):
        cluster.etcd.kill()
        return "etcd"

    def repair(self, cluster):
        cluster.start_etcd()


BLOWS = {"leader": KillLeader, "standby": KillStandby, "replica": KillReplica, "etcd": KillEtcd, "hang": HangStandby}
