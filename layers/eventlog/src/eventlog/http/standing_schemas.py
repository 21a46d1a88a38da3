"""What stands of chains, as it is shown: models for the OpenAPI document alone; ``standing_fields.py`` writes it."""

from pydantic import BaseModel, Field

from eventlog.formats.standing import StandingVerdict


class FullAuditOut(BaseModel, defer_build=True):
    """A full audit that has ended."""

    audit_id: str
    status: str = Field(description="intact, tampered or incomplete")
    started_at: str
    finished_at: str
    events_checked: int


class StandingFindingOut(BaseModel, defer_build=True):
    """Something that was found and stands; its report says more."""

    kind: str
    seq: int | None = Field(description="null if it is about no single event")
    found_at: str = Field(description="When it was first found")
    audit_id: str = Field(description="The audit that found it first")


class StandingOut(BaseModel, defer_build=True):
    """What audits have found of a chain. Only a full audit that began later and ends intact takes anything back."""

    verdict: StandingVerdict = Field(
        description="tampered: something stands; else as the last full audit ended; not_audited: there was none yet"
    )
    last_full_audit: FullAuditOut | None
    last_intact: FullAuditOut | None = Field(description="The last one that found nothing: what stands was done since")
    since: str | None = Field(description="When the first of what stands was found")
    findings: list[StandingFindingOut] = Field(description="The first ones and the last; in lists the first few alone")
    findings_total: int = Field(description="How many there are at least")
    note: str | None = Field(
        default=None, description="The signed note that says all this, byte for byte; not in lists"
    )


class TamperedChain(BaseModel, defer_build=True):
    """A chain in which something stands."""

    chain: str
    standing: StandingOut


class Verdicts(BaseModel, defer_build=True):
    """How many chains there are of each verdict."""

    tampered: int
    incomplete: int
    not_audited: int
    intact: int


class LogStandingOut(BaseModel, defer_build=True):
    """What stands of all chains that the caller may see; ``next`` goes on as ``after``, null at the end."""

    verdict: StandingVerdict = Field(description="The worst of all chains and of the database")
    chains: Verdicts
    tampered: list[TamperedChain] = Field(description="The chains in which something stands, by name; some may be gone")
    next: str | None
    database: StandingOut | None = Field(description="What belongs to no chain; null to callers with some chains only")
