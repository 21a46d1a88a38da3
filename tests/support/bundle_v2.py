"""Verifies a bundle of version 2 by docs/formats alone (of payloads without fractions)."""

import base64
import json
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

CONTENT = ("chain", "event_id", "event_type", "source_id", "timestamp", "received_at", "principal", "payload_hash")


def digest(*parts: bytes) -> bytes:
    return sha256(b"".join(parts)).digest()


def jcs(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def signed_lines(note: str, name: str, vkey: str) -> list[str]:
    key, (text, lines) = base64.b64decode(vkey.split("+", 2)[2]), (part + "\n" for part in note.rsplit("\n\n", 1))
    message, key_id = text, digest(name.encode(), b"\n", key)[:4]
    if key[:1] == b"\xff":  # of an order its hash is signed
        message = f"eventlog/governance/v1\n{sha256(text.encode()).hexdigest()}\n"
    values = [base64.b64decode(line.split(" ")[2]) for line in lines.strip().splitlines()]
    (signature,) = [value[4:] for value in values if value[:4] == key_id]
    Ed25519PublicKey.from_public_bytes(key[-32:]).verify(signature, message.encode())
    return text.split("\n")


def main(text: str, vkey: str, governance: str) -> tuple[int, int]:
    header, *items, last = map(json.loads, text.splitlines())
    name = f"{header['origin']}/{header['chain']}"
    _, size, root, *_ = signed_lines(header["checkpoint"], name, vkey)
    tree, at, events, orders, erased = [], 0, 0, {}, []  # type: ignore[var-annotated]
    for item in items:
        event = item.get("event") or item.get("erased") or item.get("erasure")
        hashes, end = ([event["hash"]], at + 1) if event else (item["hashes"], item["gap"][1])
        if event:
            if "erased" in item:
                erased.append((item["by"], f"{at} {base64.b64encode(bytes.fromhex(event['hash'])).decode()}"))
            else:
                assert digest(bytes.fromhex(event["salt"]), jcs(event["payload"])).hex() == event["payload_hash"]
            content = digest(jcs({"v": 1} | {member: event[member] for member in CONTENT}))
            leaf = at.to_bytes(8, "big") + bytes.fromhex(event["prev_hash"]) + content
            assert digest(b"\0", leaf).hex() == event["hash"]
            if event["event_type"] == "eventlog.erasure":
                orders[at] = signed_lines(event["payload"]["note"], name, governance)
            events += "erasure" not in item
        for node in map(bytes.fromhex, hashes):  # each of a gap is the largest subtree that starts here and fits
            level = max(one for one in range(64) if at % 2**one == 0 and at + 2**one <= end)
            at, top = at + 2**level, (level, node)
            while tree and tree[-1][0] == top[0]:
                top = (top[0] + 1, digest(b"\1", tree.pop()[1], top[1]))
            tree.append(top)
    folded = tree.pop()[1]
    while tree:
        folded = digest(b"\1", tree.pop()[1], folded)
    assert (at, base64.b64encode(folded).decode(), events) == (int(size), root, last["end"]["events"])
    assert all(line in orders[by] and by > int(line.split(" ")[0]) for by, line in erased)
    return events, len(erased)
