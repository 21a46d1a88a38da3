"""An operator's declaration of a restore may die at any step: it is repeated, or was made already."""

from contextlib import suppress
from typing import Any

import pytest

from eventlog.anchors.anchoring import Anchoring
from eventlog.audit.restore import Restorer
from eventlog.errors import InvalidError
from eventlog.formats.note import Signer
from eventlog.store.mongo.audits import AuditStore
from tests.integration.test_restore import back_up, put_back
from tests.support.anchored import AnchoredLog
from tests.support.auditors import Countdown, DiedError, Dying, Recorder, dying_auditor


def dying_restorer(log: AnchoredLog, countdown: Countdown) -> Restorer:
    anchoring = log.anchoring()
    dying: Any = Anchoring(
        log.store,
        anchoring.tree,
        anchoring.checkpoints,
        Dying(log.anchors, countdown),
        signers=[Dying(signer, countdown) for signer in log.signers],
        public_keys=lambda: [signer.public_key for signer in log.signers],
        idle_millis=3_600_000,
    )
    store: Any = Dying(log.store, countdown)
    audits: Any = Dying(AuditStore(log.store), countdown)
    return Restorer(store, audits, dying, dying_auditor(log, countdown), clock=log.now)


@pytest.mark.parametrize("first", [1, 2])
def test_wherever_a_restore_dies_it_can_be_repeated(log: AnchoredLog, first: int) -> None:
    """Dying right after a step is dying before the next one; every other step, so that two tests share them."""
    signer: Signer = log.signers[0]
    recorder = Recorder(signer)
    log.signers = [recorder]
    step, died = first - 2, True
    while died:
        step += 2
        chain = f"c{step}"
        log.append(5, chain)
        log.audit(chain=chain)
        log.append(2, chain)
        backup = back_up(log, chain)
        log.append(3, chain)
        log.audit(chain=chain)
        put_back(log, backup, chain)
        try:
            dying_restorer(log, Countdown(step)).restore(chain, "the disk broke")
            died = False
        except DiedError:
            with suppress(InvalidError):  # it was declared already
                log.restore(chain=chain)
        assert log.audit(chain=chain).status == "intact"
        assert log.audit("full", chain).status == "intact"
    assert step > 30
    recorder.check()
