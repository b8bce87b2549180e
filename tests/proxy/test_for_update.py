"""pgbench: a lock at the first read leaves nothing to prove. for_update.py is the long form."""

import shutil

import pytest
from for_update import run

pytestmark = pytest.mark.skipif(shutil.which("pgbench") is None, reason="there is no pgbench")


@pytest.mark.parametrize("lock, is_proved", [("FOR UPDATE", False), ("", True)])
def test_only_transactions_without_a_lock_are_proved_wrong(cluster, database, tmp_path, lock, is_proved):
    done, proved, _ = run(cluster, database, tmp_path, lock, ("-t", 40))
    assert done == 320
    assert (len(proved) > 0) == is_proved, proved
