"""The JavaScript of the browser and our Python agree on canonical JSON, hashes, trees, signatures: the same vectors."""

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from eventlog.formats.canonical import canonicalize
from eventlog.formats.proof import inclusion_ranges
from tests.browser.dashboard import Watched

VECTORS = Path(__file__).parents[1] / "vectors"


@pytest.fixture
def page(look: Watched) -> Page:
    return look.open()


def call(page: Page, module: str, script: str, given: Any = None) -> Any:
    """Run a function of a module's exports in the page."""
    imported = f"await import('/dashboard/evidence/{module}.js')"
    return page.evaluate(f"async (given) => ({script})({imported}, given)", given)


@pytest.mark.parametrize("name", sorted(path.name for path in (VECTORS / "jcs" / "input").iterdir()))
def test_canonical_json(page: Page, name: str) -> None:
    text = (VECTORS / "jcs" / "input" / name).read_text(encoding="utf-8")
    expected = (VECTORS / "jcs" / "output" / name).read_text(encoding="utf-8").strip()
    assert call(page, "canonical", "(m, text) => m.canonicalize(JSON.parse(text))", text) == expected


def test_canonical_numbers(page: Page) -> None:
    numbers = [0, 1, -1, 0.1, 1e16, 1e21, 1e-7, 123456789012345680.0, 5e-324, 1.7976931348623157e308, 2**53 - 1]
    expected = [canonicalize(number).decode() for number in numbers]
    assert call(page, "canonical", "(m, numbers) => numbers.map(m.canonicalize)", numbers) == expected


def test_every_hash_of_the_vectors(page: Page) -> None:
    vectors = json.loads((VECTORS / "chain.json").read_text(encoding="utf-8"))
    script = "async (m, e) => (await m.verifyEvent(e, null, null)).map((step) => [step.outcome, step.computed])"
    for event in vectors["events"]:
        found = call(page, "steps", script, event)
        expected = [event["payload_hash"], event["content_hash"], event["hash"]]
        assert found[:3] == [["passed", value] for value in expected]


def test_genesis(page: Page) -> None:
    vectors = json.loads((VECTORS / "chain.json").read_text(encoding="utf-8"))
    script = "async (m, o) => Array.from(await m.genesis(o, 'main'))"
    assert bytes(call(page, "hashing", script, vectors["origin"])).hex() == vectors["genesis"]


def test_inclusion_in_every_small_tree(page: Page) -> None:
    """Each leaf of each tree up to 40 leaves, and none with a changed, a missing or an added hash."""
    cases = []
    for size in range(1, 41):
        leaves = [bytes([n]) * 32 for n in range(size)]
        for index in range(size):
            path = [_root(leaves[start:end]).hex() for start, end in inclusion_ranges(index, size)]
            cases.append([index, size, leaves[index].hex(), path, _root(leaves).hex()])
    script = """async (m, cases) => {
        const unhex = (text) => Uint8Array.from(text.match(/../g), (pair) => parseInt(pair, 16))
        const hex = (bytes) => Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('')
        const fold = async (index, size, leaf, path) => {
            const steps = await m.foldInclusion(BigInt(index), BigInt(size), unhex(leaf), path.map(unhex))
            return hex(steps.length ? steps.at(-1).hash : unhex(leaf))
        }
        const refused = (...given) => fold(...given).then(() => false, (error) => error.name === 'EvidenceError')
        const wrong = []
        for (const [index, size, leaf, path, root] of cases) {
            const good = (await fold(index, size, leaf, path)) === root
            const long = await refused(index, size, leaf, [...path, leaf])
            const short = path.length === 0 || await refused(index, size, leaf, path.slice(1))
            if (!good || !long || !short) wrong.push([index, size])
        }
        return wrong
    }"""
    assert call(page, "merkle", script, cases) == []


def test_signatures_of_others(page: Page) -> None:
    script = """async (m, { vkey, note }) => {
        const key = await m.parseVkey(vkey)
        return m.verifySignature(m.parseNote(note), key).then(() => 'signed', (error) => error.message)
    }"""
    for vector in json.loads((VECTORS / "notes.json").read_text(encoding="utf-8")):
        for vkey in vector["keys"]:
            note = f"{vector['text']}\n" + "".join(f"{line}\n" for line in vector["signatures"])
            assert call(page, "note", script, {"vkey": vkey, "note": note}) == "signed"
            changed = note.replace("message", "massage").replace("answer", "question")
            assert "not valid" in call(page, "note", script, {"vkey": vkey, "note": changed})


def _root(leaves: list[bytes]) -> bytes:
    """RFC 9162, section 2.1.1, of leaf hashes, as written there."""
    from hashlib import sha256

    if len(leaves) == 1:
        return leaves[0]
    k = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\x01" + _root(leaves[:k]) + _root(leaves[k:])).digest()
