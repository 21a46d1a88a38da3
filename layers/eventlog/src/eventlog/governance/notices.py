"""What an operator is told of erasures, as log lines and metrics. No payload is in them."""

from aws_lambda_powertools import Logger

from eventlog.governance.erasing import ErasingRound
from eventlog.store.errors import StoreError
from eventlog.telemetry import metrics

_SERVICE = "eventlog-erase"


class ErasureLog:
    """``ErasureNotices`` in the function's log."""

    def __init__(self) -> None:
        self._logger = Logger(service=_SERVICE)

    def order_refused(self, chain: str, seq: int, why: str) -> None:
        """See ``ErasureNotices.order_refused``."""
        self._logger.error("an erasure is not carried out", extra={"chain": chain, "seq": seq, "reason": why})

    def failed(self, chain: str, error: Exception) -> None:
        """See ``ErasureNotices.failed``."""
        detail = str(error) if isinstance(error, StoreError) else None
        fields = {"chain": chain, "error": type(error).__name__, "detail": detail}
        self._logger.error("a chain's erasures failed and are tried again", extra=fields)

    def finished(self, done: ErasingRound, now: int) -> None:
        """Tell of a round over all chains, and count it."""
        lag = 0 if done.overdue is None else max(0, now - done.overdue) / 1000
        counts = {"emptied": done.emptied, "carried_out": done.carried_out, "held": done.held}
        self._logger.info("erasing", extra={**counts, "refused": done.refused, "failed": done.failed})
        metrics.emit(
            _SERVICE,
            {"EventsErased": done.emptied, "ErasureLag": lag, "ErasuresFailed": done.refused + done.failed},
        )
