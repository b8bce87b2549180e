"""A PostgreSQL whose disk can be filled to the last byte: its folder is a small file system in memory. Only root can
mount one."""

import contextlib
import os
import subprocess

import pytest

from cluster import Cluster
from pace import eventually

SIZE_MB = 200


class SmallDiskCluster(Cluster):
    """A cluster on a disk of its own."""

    def _initialise(self):
        owner = self.folder.stat()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m,mode=700,uid={owner.st_uid},gid={owner.st_gid}",
                        "race-lab-test", self.folder], check=True)
        super()._initialise()
        with open(self.data / "postgresql.conf", "a", encoding="utf-8") as conf:
            conf.write("min_wal_size = 32MB\nmax_wal_size = 32MB\n")

    def fill_disk(self):
        """Leaves no byte free."""
        with open(self.folder / "filler", "ab", buffering=0) as filler, contextlib.suppress(OSError):
            for size in (1 << 20, 1 << 12, 1):
                with contextlib.suppress(OSError):
                    while filler.write(b"\0" * size) == size:
                        pass

    def free_disk(self):
        """Ends fill_disk()."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.folder / "filler")

    def remove(self):
        if self.running():
            self.free_disk()
            self.stop("immediate")
        # After an immediate stop the last backends may hold files open a moment longer than the postmaster.
        eventually(lambda: subprocess.run(["umount", self.folder], check=False).returncode == 0, "the disk is unmounted")
        super().remove()


@contextlib.contextmanager
def small_disk_cluster():
    """A started cluster. Nothing of it is left at the end. The test is skipped if this user may not mount."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    try:
        cluster = SmallDiskCluster()
    except subprocess.CalledProcessError as refused:
        pytest.skip(f"no small disk can be mounted here: {refused}")
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.remove()
