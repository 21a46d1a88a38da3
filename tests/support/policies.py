"""Policies that Python and the browser must both read, and both refuse, from one table."""

from eventlog.formats.note import VerifierKey, format_vkey
from eventlog.formats.policy import MAX_POLICY
from tests.support.anchoring import Key
from tests.support.witnesses import ed25519, ml_dsa

LOG = format_vkey(Key(1).verifier("log.example"))
OTHER_NAME = format_vkey(VerifierKey("other.example/main", Key(1).public_key))
KEYS = [format_vkey(ed25519(f"w{n}", n + 1).key) for n in range(8)]
PQ = format_vkey(ml_dsa("pq", 1).key)
WITNESSES = "".join(f"witness w{n} {key}\n" for n, key in enumerate(KEYS))
EXAMPLE = f"""
# the example of the specification
log {LOG}

witness X1 {KEYS[0]}
witness X2 {KEYS[1]} https://x2.example/
\twitness  X3 \t{KEYS[2]}\t
group X-witnesses 2 X1 X2 X3
  # another organisation: é
witness Y1 {KEYS[3]}
witness Y2 {PQ}
group Y-witnesses any Y1 Y2

group X-and-Y all X-witnesses Y-witnesses
quorum X-and-Y
log {format_vkey(Key(2).verifier("log.example"))} https://log.example/
""".encode()


def lines(*more: str) -> bytes:
    return (WITNESSES + "".join(f"{line}\n" for line in more)).encode()


READABLE: list[bytes] = [
    b"quorum none\n",
    b" \t\n#\n\t# x\n quorum\tnone \n\n",
    f"witness w {PQ} http://w.example\nquorum w\n".encode(),
    f"{WITNESSES}group g 8 {' '.join(f'w{n}' for n in range(8))}\nquorum g\n".encode(),
    f"witness 2 {KEYS[0]}\ngroup any any 2\nquorum any\n".encode(),
    b"#" + bytes([*range(0x20, 0x7F), 9, *range(0x80, 0x100)]) + b"\nquorum none\n",
    f"witness K {KEYS[0]}\nwitness \u212a {KEYS[1]}\nquorum \u212a\n".encode(),
    b"witness \xff\xa0 " + KEYS[0].encode() + b"\nquorum \xff\xa0\n",
    f"witness a\u00a0b {KEYS[0]}\nquorum a\u00a0b\n".encode(),
    f"witness a\u2028b {KEYS[0]}\nquorum a\u2028b\n".encode(),
    f"witness a\u0085b {KEYS[0]}\nquorum a\u0085b\n".encode(),
]
REFUSED_POLICIES: list[tuple[bytes, str]] = [
    (b"", "no quorum line"),
    (lines(), "no quorum line"),
    (b"quorum none", "line 1 of the policy does not end with a newline"),
    (b"quorum none\r\n", "line 1 of the policy: the octet 0x0d"),
    (b"#\x00\nquorum none\n", "0x00"),
    (b"#\x7f\nquorum none\n", "0x7f"),
    (b"#\x0b\nquorum none\n", "0x0b"),
    (lines("quorum w0", "quorum w0"), "line 10 of the policy: there is a quorum already"),
    (lines("quorum none", "quorum w0"), "a quorum already"),
    (lines("quorum"), "a quorum is:"),
    (lines("quorum w0 w1"), "a quorum is:"),
    (lines("quorum w9"), "no witness or group w9 is defined above"),
    (b"quorum w0\n" + lines(), "no witness or group w0"),
    (lines("Quorum w0"), "a line begins with"),
    (lines("w0"), "a line begins with"),
    ("\u00a0quorum none\n".encode(), "a line begins with"),
    (lines("quorum w0 # comment"), "a quorum is:"),
    (lines("group g 1 w9", "quorum g"), "no witness or group w9"),
    (lines("group g 1 h", "group h 1 w0", "quorum g"), "no witness or group h"),
    (lines("group g 1 g", "quorum g"), "no witness or group g"),
    (lines("group g 1 none", "quorum g"), "no witness or group none"),
    (lines("group g 1 w0 w0", "quorum g"), "w0 is in a group already"),
    (lines("group g 1 w0", "group h 1 w0", "quorum g"), "w0 is in a group already"),
    (lines("group g 1", "quorum g"), "a group is:"),
    (lines("group g all", "quorum g"), "a group is:"),
    (lines("group g 0 w0", "quorum g"), "from 1 to 1"),
    (lines("group g 2 w0", "quorum g"), "from 1 to 1"),
    (lines("group g 01 w0", "quorum g"), "from 1 to 1"),
    (lines("group g +1 w0", "quorum g"), "from 1 to 1"),
    (lines("group g \u0661 w0", "quorum g"), "from 1 to 1"),
    (lines("group g -1 w0", "quorum g"), "from 1 to 1"),
    (lines("group g ALL w0", "quorum g"), "from 1 to 1"),
    (lines("group g 9999999999999999999999 w0", "quorum g"), "from 1 to 1"),
    (lines("group w1 1 w0", "quorum w1"), "the name w1 is there already"),
    (lines("group none 1 w0", "quorum none"), "the name none is taken"),
    (f"witness none {KEYS[0]}\nquorum none\n".encode(), "the name none is taken"),
    (f"witness w {KEYS[0]}\nwitness w {KEYS[1]}\nquorum w\n".encode(), "the name w is there already"),
    (f"witness w {KEYS[0]}\nwitness v {KEYS[0]}\nquorum w\n".encode(), "the same public key"),
    (
        f"witness w {KEYS[0]}\nwitness v {format_vkey(ed25519('v', 1).key)}\nquorum w\n".encode(),
        "line 2 of the policy: another witness has the same public key",
    ),
    (f"log {LOG}\nlog {LOG}\nquorum none\n".encode(), "another log has the same public key"),
    (f"log {LOG}\nlog {OTHER_NAME}\nquorum none\n".encode(), "another log has the same public key"),
    (f"log {KEYS[0]}\nquorum none\n".encode(), "of type 0x01"),
    (f"witness w {LOG}\nquorum w\n".encode(), "not a witness's key"),
    (b"log\nquorum none\n", "a log is:"),
    (f"log {LOG} u v\nquorum none\n".encode(), "a log is:"),
    (f"witness {KEYS[0]}\nquorum none\n".encode(), "a witness is:"),
    (f"witness w {KEYS[0]} u v\nquorum none\n".encode(), "a witness is:"),
    (b"witness w x\nquorum none\n", "verifier key"),
    (
        "".join(f"witness w{n} {format_vkey(ed25519('w', n + 1).key)}\n" for n in range(65)).encode(),
        "line 65 of the policy: there are more than 64 witnesses",
    ),
    (b"#" * MAX_POLICY + b"\nquorum none\n", "longer than"),
]
