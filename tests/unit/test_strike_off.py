"""Strike-offs: one written form, signed by a known key."""

from dataclasses import replace
from typing import Any

import pytest

from eventlog.anchors.registry import struck_name
from eventlog.formats.checkpoint import MAX_SIZE
from eventlog.formats.errors import EvidenceError
from eventlog.formats.note import format_note, parse_note, sign_note
from eventlog.formats.restore import MAX_REASON
from eventlog.formats.strike_off import StrikeOff, format_strike_off, sign_strike_off, verify_strike_off
from eventlog.formats.times import MAX_MILLIS
from tests.support.each import each
from tests.support.evidence import KEY, ORIGIN, START, Key

STRUCK = StrikeOff(f"{ORIGIN}/eventlog.registry", "ghost", 41, b"\xab" * 32, START, "a script, 3 May é")
SIGNED = sign_strike_off(STRUCK, [KEY])
TEXT = format_strike_off(STRUCK)
HEX = "ab" * 32


def test_a_strike_off_comes_back_as_it_was_signed() -> None:
    assert verify_strike_off(SIGNED, [Key("other").public_key, KEY.public_key]) == STRUCK


def test_a_strike_off_of_unknown_keys_is_refused() -> None:
    with pytest.raises(EvidenceError, match="not signed by a key that is known here"):
        verify_strike_off(SIGNED, [Key("other").public_key])


@each("change", [{"origin": "o/eventlog.registry"}, {"chain": "main"}, {"seq": 40}, {"hash": bytes(32)}, {"time": 0},
                 {"reason": "another"}])  # fmt: skip
def test_any_field_of_a_strike_off_changed_is_refused(change: dict[str, Any]) -> None:
    text = format_strike_off(replace(STRUCK, **change))
    with pytest.raises(EvidenceError, match=r"is not valid|not signed by a key"):
        verify_strike_off(format_note(replace(parse_note(SIGNED), text=text)), [KEY.public_key])


@each(
    "text, why",
    [
        ("\n", "not the text of a strike-off"),
        (TEXT.replace("off/v1", "off/v2"), "not the text of a strike-off"),
        (TEXT.replace("strike-off/v1", "restore/v1"), "not the text of a strike-off"),
        (TEXT + "more\n", "not the text of a strike-off"),
        (TEXT.replace("entry 41", "entry"), "not the text of a strike-off"),
        (TEXT.replace("chain ", "Chain "), "not the text of a strike-off"),
        (TEXT.replace("ghost", "gh/st"), "no chain can have this name"),
        (TEXT.replace("ghost", ""), "no chain can have this name"),
        (TEXT.replace("entry 41", "entry 041"), "the entry is not a decimal"),
        (TEXT.replace("entry 41", f"entry {MAX_SIZE + 1}"), "the entry is not a decimal"),
        (TEXT.replace(HEX, HEX.upper()), "32 bytes in lower-case hex"),
        (TEXT.replace(HEX, HEX[2:]), "32 bytes in lower-case hex"),
        (TEXT.replace(HEX, f"{HEX}ab"), "32 bytes in lower-case hex"),
        (TEXT.replace(str(START), str(MAX_MILLIS + 1)), "time is out of range"),
        (TEXT.replace(STRUCK.reason, ""), "one line of 1 to 500"),
        (TEXT.replace(STRUCK.reason, "x" * (MAX_REASON + 1)), "one line of 1 to 500"),
        (TEXT.replace(STRUCK.reason, "a\u2028b"), "one line of 1 to 500"),
    ],
)
def test_a_malformed_strike_off_is_refused_though_it_is_signed(text: str, why: str) -> None:
    with pytest.raises(EvidenceError, match=why):
        verify_strike_off(format_note(sign_note(text, STRUCK.origin, [KEY])), [KEY.public_key])


@each("chain", ["ghost", "a", "a-b", "struck-off-a-0123456789abcdef", "x" * 64])
def test_the_name_is_read_from_the_id_of_the_event_as_it_was_written(chain: str) -> None:
    assert struck_name(f"eventlog.struck-off-{chain}-0123456789abcdef") == chain
