"""The JavaScript of the browser and our Python agree on canonical JSON, hashes, trees, signatures: the same vectors."""

import itertools
import json
import random
from base64 import b64decode, b64encode
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from eventlog.formats.canonical import canonicalize
from eventlog.formats.head_proof import parse_head_proof, verify_head_proof
from eventlog.formats.note import format_vkey
from eventlog.formats.policy import parse_policy
from eventlog.formats.proof import inclusion_ranges
from eventlog.formats.quorum import missing
from eventlog.formats.times import MAX_MILLIS, format_time, parse_time
from eventlog.formats.witness_protocol import parse_request
from tests.browser.conftest import serve_anew, watch
from tests.support.each import each
from tests.support.event_source import Interpreter
from tests.support.page_logic import CLEAN, FIGURES, IN_NEW_YORK, NOW, PAYLOAD, RULES, VERDICTS, WHEN
from tests.support.policies import EXAMPLE, READABLE, REFUSED_POLICIES
from tests.support.refused import (
    ACCEPTED_TEXTS,
    MEMBERS,
    ORIGIN_LINES,
    PROOF,
    REFUSED_EVENTS,
    REFUSED_PROOFS,
    REFUSED_TEXTS,
    changed,
    refused_event,
)
from tests.support.witnesses import cosigned, ed25519, ml_dsa
from tests.unit.test_formats_pages import KEY, ORIGIN
from tests.unit.test_heads import BROKEN, ODD_VALUES, REGISTRY
from tests.unit.test_heads import PROOF as HEAD

VECTORS = Path(__file__).parents[1] / "vectors"


@pytest.fixture(scope="module")
def page(browser: Browser, mongo_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """One page for all: nothing is kept in it."""
    folder = Path(tmp_path_factory.mktemp("log"))
    with serve_anew(mongo_uri, folder) as log, watch(browser, log.url, zone="America/New_York") as look:
        yield look.open()


def call(page: Page, module: str, script: str, given: Any = None, folder: str = "/evidence") -> Any:
    """Run a function of a module's exports in the page."""
    imported = f"await import('/dashboard{folder}/{module}.js')"
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
    for vector in vectors["events"]:
        event = {name: vector[name] for name in MEMBERS}  # without the values in between
        found = call(page, "steps", script, event)
        expected = [event["payload_hash"], event["content_hash"], event["hash"]]
        assert found[:3] == [["passed", value] for value in expected]


def test_the_first_event_is_linked_to_the_name_of_its_log(page: Page) -> None:
    vectors = json.loads((VECTORS / "chain.json").read_text(encoding="utf-8"))
    event = {name: vectors["events"][0][name] for name in MEMBERS}
    script = "async (m, [e, origin]) => (await m.verifyEvent(e, null, { origin, keys: [] }))[2].outcome"
    assert call(page, "steps", script, [event, vectors["origin"]]) == "passed"
    assert call(page, "steps", script, [event, "other.example/log"]) == "failed"


@each("changes", REFUSED_EVENTS)
def test_an_event_that_python_refuses_is_refused(page: Page, changes: dict[str, Any]) -> None:
    """Its hashes are right for what it says, as far as it can be hashed, so that nothing but its form is wrong."""
    event = refused_event(changes)
    script = "async (m, e) => (await m.verifyEvent(e, null, null)).slice(0, 3).map((step) => step.outcome)"
    assert "failed" in call(page, "steps", script, event)


@each("changes", REFUSED_PROOFS)
def test_a_proof_that_python_refuses_is_refused(page: Page, changes: dict[str, Any]) -> None:
    script = "(m, p) => { try { m.parseProof(p); return 'read' } catch (error) { return error.name } }"
    assert call(page, "fields", script, PROOF) == "read"
    assert call(page, "fields", script, changed(PROOF, changes)) == "EvidenceError"


@each("kind, what, text", REFUSED_TEXTS)
def test_a_text_that_python_refuses_is_refused(page: Page, kind: str, what: str, text: str) -> None:
    parse = {"note": "m.parseNote(text)", "checkpoint": "m.parseCheckpoint(text)", "vkey": "await m.parseVkey(text)"}[
        kind
    ]
    script = f"async (m, text) => {{ try {{ {parse}; return 'read' }} catch (error) {{ return error.name }} }}"
    assert call(page, "note", script, ACCEPTED_TEXTS[kind]) == "read"
    assert call(page, "note", script, text) == "EvidenceError", what


@each("line, chain, is_one", ORIGIN_LINES)
def test_the_name_of_a_key_says_which_log_and_chain_it_is_of(page: Page, line: str, chain: str, is_one: bool) -> None:
    script = "(m, [line, chain]) => m.isOriginLine(line, 'log.example/events', chain)"
    assert call(page, "note", script, [line, chain]) is is_one


def utf8(found: list[bytes]) -> list[str]:
    """Those that a page can have: what is no UTF-8 is no text there."""
    return [text for data in found if (text := data.decode(errors="replace")).encode() == data]


def test_policies_are_read_refused_and_lack_what_python_says(page: Page) -> None:
    script = """async (m, texts) => Promise.all(texts.map((text) =>
        m.parsePolicy(text).then(() => 'read', (error) => error.name)))"""
    readable, refused = utf8([*READABLE, EXAMPLE]), utf8([data for data, _ in REFUSED_POLICIES])
    assert (len(readable), len(refused)) == (len(READABLE) - 1, len(REFUSED_POLICIES))
    assert call(page, "policy", script, readable) == ["read"] * len(readable)
    assert call(page, "policy", script, refused) == ["EvidenceError"] * len(refused)
    policy = parse_policy(EXAMPLE)
    names = [witness.name for witness in policy.witnesses]
    sets = [list(some) for size in range(len(names) + 1) for some in itertools.combinations(names, size)]
    lacks = """async (m, [text, sets]) => { const policy = await m.parsePolicy(text)
        return sets.map((names) => m.missing(policy, new Set(names))) }"""
    assert call(page, "policy", lacks, [EXAMPLE.decode(), sets]) == [missing(policy, some) for some in sets]


def altered(line: str, at: int) -> str:
    """A signature line with one bit changed: after the key id come the time, eight bytes, and the signature."""
    dash, name, value = line.split()
    changed_value = bytearray(b64decode(value))
    changed_value[at] ^= 1
    return f"{dash} {name} {b64encode(changed_value).decode()}\n"


def test_cosignatures(page: Page) -> None:
    """Of the vector; a changed byte of text, time or signature, another length and a second line refuse the note."""
    vector = json.loads((VECTORS / "cosignatures.json").read_text(encoding="utf-8"))
    checkpoint = parse_request(vector["request"].encode()).checkpoint
    first, pq = ed25519("witness.example/w1", bytes(range(32, 64))), ml_dsa("witness.example/w1", 1)
    both = cosigned(checkpoint, vector["time"], first, pq).decode()
    script = """async (m, [note, vkeys]) => { try {
        const { parseNote } = await import('/dashboard/evidence/note.js')
        const read = async (vkey) => ({ name: vkey, key: await m.parseCosignerVkey(vkey) })
        const witnesses = await Promise.all(vkeys.map(read))
        const found = await m.verifyCosignatures(parseNote(note), witnesses)
        return found.map(({ name, time, checked }) => [name, Number(time), checked])
        } catch (error) { return error.name } }"""
    vkeys = [format_vkey(each.key) for each in (first, pq, ed25519("other.example/w", 3))]
    expected = [[vkeys[0], vector["time"], True], [vkeys[1], vector["time"], False]]
    assert call(page, "cosignature", script, [both, vkeys]) == expected
    *text, last = both.splitlines(keepends=True)
    line = text[-1]
    for wrong in (
        both.replace("\n1\n", "\n2\n"),
        both.replace(line, altered(line, 4 + 7)),
        both.replace(line, altered(line, -1)),
        both.replace(line, line[:-5] + "\n"),
        both + line,
    ):
        assert wrong != both
        assert call(page, "cosignature", script, [wrong, vkeys]) == "EvidenceError", wrong
    assert call(page, "cosignature", script, [both.replace(last, ""), vkeys[1:]]) == []
    for vkey in (vector["log"], vkeys[0].replace("w1", "w2"), vkeys[0][:-4], f" {vkeys[0]}", "x"):
        assert call(page, "cosignature", script, [both, [vkey]]) == "EvidenceError", vkey


def lines_changed(note: str) -> list[str]:
    """The note with one bit of each of its signatures changed."""
    text, _, lines = note.partition("\n\n")
    each = lines.splitlines(keepends=True)
    return ["".join([f"{text}\n\n", *each[:at], altered(each[at], -1), *each[at + 1 :]]) for at in range(len(each))]


def test_the_head_of_a_chain_is_proven_up_to_the_registry_s_checkpoint(page: Page) -> None:
    """The page's example; what Python refuses is refused, and what no trusted key has signed is never called signed."""
    script = """async (m, [proofs, chain, origin, keys]) => Promise.all(proofs.map((proof) => {
        const bytes = keys.map((key) => Uint8Array.from(key.match(/../g), (pair) => Number.parseInt(pair, 16)))
        return m.verifyHead(proof, chain, origin, bytes).then(
          ({ size, number, time, heads, registry, isSigned }) => [Number(size), number, time && Number(time), heads,
            Number(registry.size), isSigned],
          (error) => error.name) }))"""

    def verified(*proofs: Any, chain: str = "main", origin: str = ORIGIN, keys: tuple[bytes, ...] = ()) -> Any:
        return call(page, "heads", script, [list(proofs), chain, origin, [key.hex() for key in keys]])

    other, key = bytes(31) + b"\x07", KEY.public_key
    proven = verify_head_proof(parse_head_proof(HEAD), ORIGIN, [key], REGISTRY)
    signed = [3, 2, proven.anchor.seal.time, 3, 2, True]
    assert verified(HEAD, keys=(key,)) == verified(HEAD, keys=(other, key)) == [signed]
    assert verified(HEAD) == verified(HEAD, keys=(other,)) == [[3, 2, None, 3, 2, False]]
    assert verified(HEAD, chain="acme", keys=(key,)) == verified(HEAD, origin="log.example/other") == ["EvidenceError"]
    broken = []
    for edit, _ in BROKEN.values():
        broken.append(json.loads(json.dumps(HEAD)))
        edit(broken[-1])
    # A signature whose key id is another's is one of a key that is not trusted here.
    expected = ["EvidenceError" if name != "the registry's signature" else [*signed[:5], False] for name in BROKEN]
    assert verified(*broken, keys=(key,)) == expected
    altered_lines = [HEAD | {"anchor": note} for note in lines_changed(HEAD["anchor"])]
    first = lines_changed(HEAD["registry"]["checkpoint"])[0]
    altered_lines.append(HEAD | {"registry": HEAD["registry"] | {"checkpoint": first}})
    assert verified(*altered_lines, keys=(key,)) == ["EvidenceError"] * 3
    odd = [HEAD | {name: value} for name in HEAD for value in ODD_VALUES]
    odd += [HEAD | {"registry": HEAD["registry"] | {name: value}} for name in HEAD["registry"] for value in ODD_VALUES]
    odd += [HEAD | {"event": HEAD["event"] | {name: value}} for name in HEAD["event"] for value in ODD_VALUES]
    assert verified(*odd, *ODD_VALUES, keys=(key,)) == ["EvidenceError"] * (len(odd) + len(ODD_VALUES))


DAY = "2026-11-23T12:00:00"
TIMES = [
    *(DAY, f"{DAY}Z", "2026-11-23t12:00:00.5z", f"{DAY}.1239999+02:30", f"{DAY}-23:59", f"{DAY}+00:00", f"{DAY}-00:00"),
    *("1970-01-01T00:00:00Z", "9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.9999999Z", "2024-02-29T00:00:00Z"),
    *("1970-01-01T00:30:00+00:30", "1969-12-31T23:30:00-01:00"),
    *("1969-12-31T23:59:59.999Z", "9999-12-31T23:30:00-01:00", "1970-01-01T00:30:00+01:00", "0000-01-01T00:00:00Z"),
    *("2026-02-29T00:00:00Z", "2026-11-31T00:00:00Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z"),
    *("2026-01-00T00:00:00Z", "2026-11-23T24:00:00Z", "2026-11-23T12:60:00Z", "2026-11-23T23:59:60Z"),
    *(f"{DAY}+24:00", f"{DAY}+01:60", f"{DAY}+1:00", f"{DAY}+0100", f"{DAY}.Z", f" {DAY}Z", f"{DAY}Z\n", f"+00{DAY}Z"),
    *("2026-11-23T12:00Z", "2026-11-23 12:00:00Z", "2026-11-23", "\u0662026-11-23T12:00:00Z", "yesterday", "", "0"),
]


def test_times_whatever_the_zone_of_the_browser(page: Page) -> None:
    expected = [_millis(text) for text in TIMES]
    assert None in expected
    script = "(m, texts) => texts.map((text) => { const t = m.parseTime(text); return Number.isNaN(t) ? null : t })"
    assert call(page, "times", script, TIMES, folder="") == expected
    written = [format_time(millis) for millis in expected if millis is not None]
    times = [millis for millis in expected if millis is not None]
    assert call(page, "times", "(m, times) => times.map(m.formatTime)", times, folder="") == written
    script = "(m, texts) => texts.map(m.parseEnd)"
    after_all = ["10000-01-01T00:00:00Z", "+010000-01-01T00:00:00.000Z", "9999-12-31T23:00:00-01:00"]
    assert set(call(page, "times", script, after_all, folder="")) == {MAX_MILLIS + 1}
    script = (
        "(m, given) => { const r = m.rangeBefore(...given); return m.parseEnd(r.end_time) - m.parseTime(r.start_time) }"
    )
    for end, seconds, wide in ((1, 3600, 1), (MAX_MILLIS + 1, 60, 60_000), (7_200_000, 3600, 3_600_000)):
        assert call(page, "times", script, [end, seconds], folder="") == wide


def _millis(text: str) -> int | None:
    try:
        return parse_time(text)
    except ValueError:
        return None


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


STREAMS = {
    "line feeds": "id: 1\ndata: a\n\nid: 2\nevent: head\ndata: b\n\n",
    "CR LF": "id: 1\r\ndata: a\r\n\r\ndata: b\r\n\r\n",
    "CR alone": "id: 1\rdata: a\r\rdata: b\r\r:",
    "lines of data": "data: a\ndata:\ndata:  b\ndata\n\ndata\n\ndata:\n\n",
    "comments": ": hello\n\n:\ndata: a\n: between\n\n",
    "an id alone": "data: a\nid: 1\n\n: nothing new\nid: 7\n\n",
    "ids that are none": "id: 1\ndata: a\n\nid: 2\0\ndata: b\n\nid\ndata: c\n\n",
    "retry": "retry: 50\n\nretry: 5x\n\nretry: -1\n\nretry\n\ndata: a\n\n",
    "types": "event: end\ndata: a\n\nevent: \ndata: b\n\nevent: x\n\ndata: c\n\n",
    "no field": "nonsense: 1\n data: a\nData: b\ndata: c\n\n",
    "characters of many bytes": "data: \u20ac \U0001f600 \u2028\n\n",
    "a byte order mark": "\ufeffdata: a\n\n",
    "a frame that is cut off": "id: 1\ndata: a\n\nid: 2\ndata: b\n",
}
READ = """async (m, chunks) => {
    const bytes = (text) => Uint8Array.from(atob(text), (one) => one.charCodeAt(0))
    const body = new ReadableStream({
        start(stream) {
            for (const chunk of chunks) stream.enqueue(bytes(chunk))
            stream.close()
        },
    })
    const reader = { id: '', retry: null }
    const found = []
    await m.read(body, reader, ({ type, data, id }) => found.push([type, data, id]))
    return [found, reader.id, reader.retry]
}"""


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_however_it_is_cut(page: Page, name: str) -> None:
    """Byte by byte, in two parts at each place, and at random places; the frame that is not ended leaves no id."""
    text = STREAMS[name]
    expected = Interpreter()
    expected.feed(text.removeprefix("\ufeff"))
    wanted = [[[one.type, one.data, one.id] for one in expected.messages], expected.last_id, expected.retry]
    whole = text.encode()
    cuts = [list(range(1, len(whole))), *([at] for at in range(len(whole)))]
    cuts += [sorted(random.Random(seed).sample(range(len(whole)), 5)) for seed in range(20)]
    for places in cuts:
        ends = zip([0, *places], [*places, len(whole)], strict=True)
        chunks = [b64encode(whole[start:end]).decode() for start, end in ends]
        assert call(page, "sse", READ, chunks, folder="") == wanted, places


def _root(leaves: list[bytes]) -> bytes:
    """RFC 9162, section 2.1.1, of leaf hashes, as written there."""
    if len(leaves) == 1:
        return leaves[0]
    k = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\x01" + _root(leaves[:k]) + _root(leaves[k:])).digest()


def test_what_this_browser_can_not_check_is_not_checked(page: Page) -> None:
    """An older one without Ed25519: that is no fault of the note."""
    (vector, *_) = json.loads((VECTORS / "notes.json").read_text(encoding="utf-8"))
    note = f"{vector['text']}\n" + "".join(f"{line}\n" for line in vector["signatures"])
    script = """async (m, { vkey, note }) => {
        const honest = SubtleCrypto.prototype.importKey
        SubtleCrypto.prototype.importKey = () => Promise.reject(new DOMException('no', 'NotSupportedError'))
        const key = await m.parseVkey(vkey)
        try {
            await m.verifySignature(m.parseNote(note), key)
            return 'signed'
        } catch ({ name, message }) {
            return [name, message]
        } finally {
            SubtleCrypto.prototype.importKey = honest
        }
    }"""
    found = call(page, "note", script, {"vkey": vector["keys"][0], "note": note})
    assert found == ["UnsupportedError", "This browser can’t check Ed25519 signatures."]


def test_searches_are_read_written_and_found_as_by_the_command(page: Page) -> None:
    vectors = json.loads((VECTORS / "search.json").read_text(encoding="utf-8"))
    script = """(m, { read, refused, event, words, now, with_fields, keys }) => {
        const clean = (search) => Object.fromEntries(Object.entries(search).filter(([, value]) => value.length > 0))
        const sorted = (search) => JSON.stringify(Object.entries(search).sort())
        const asked = (text, fields) => {
            try {
                const found = m.parseSearch(text, now, fields)
                const again = m.parseSearch(m.formatSearch(found), 0, fields)
                return sorted(again) === sorted(found) ? clean(found) : ['written otherwise', m.formatSearch(found)]
            } catch (error) {
                return error.name === 'Error' ? [error.at, error.message] : String(error)
            }
        }
        return {
            read: read.map(({ text }) => asked(text)),
            refused: refused.map(({ text }) => asked(text)),
            found: words.map((one) => m.hasWords(event, one.words)),
            withFields: with_fields.read.map(({ text }) => asked(text, with_fields.fields)),
            refusedWithFields: with_fields.refused.map(({ text }) => asked(text, with_fields.fields)),
            keys: keys.cases.map((one) => m.hasKeys(keys.payload, one.keys, keys.versions)),
        }
    }"""
    found = call(page, "search", script, vectors | {"now": parse_time(vectors["now"])}, folder="")
    assert found["read"] == [one["search"] for one in vectors["read"]]
    assert found["refused"] == [[one["at"], one["error"]] for one in vectors["refused"]]
    assert found["found"] == [one["found"] for one in vectors["words"]]
    with_fields = vectors["with_fields"]
    assert found["withFields"] == [one["search"] for one in with_fields["read"]]
    assert found["refusedWithFields"] == [[one["at"], one["error"]] for one in with_fields["refused"]]
    assert found["keys"] == [one["found"] for one in vectors["keys"]["cases"]]


def test_what_is_typed_is_a_time(page: Page) -> None:
    script = "(m, [texts, now]) => texts.map((text) => m.readWhen(text, now))"
    assert call(page, "when", script, [list(WHEN), parse_time(NOW)], folder="") == list(WHEN.values())
    end = call(page, "when", "(m) => m.readWhen('10000-01-01T00:00:00Z', 0, true)", folder="")
    assert end == "10000-01-01T00:00:00.000Z"


def test_a_payload_in_one_line_and_what_is_asked_of_its_values(page: Page) -> None:
    script = "(m, p) => m.valuesOf(p).map(({ name, pointer, text }) => [name, text, m.textAt(p, pointer)])"
    told = call(page, "summary", script, PAYLOAD, folder="")
    assert [name for name, *_ in told] == ["user", "items.0.sku", "items.0.n", "a/b.~", "ok"]
    assert [text for _, text, _ in told] == ["u-17", "X", "2", "null", "true"]
    assert [again for *_, again in told] == ["u-17", "X", "2", "null", "true"]
    script = """(m, [payload, addresses]) => {
        const event = { event_type: 'a=b', source_id: 's', event_id: 'e', principal: 'p', payload }
        const { name, text } = m.readCondition(m.writeCondition('/items/0/a=b', 'X=Y'))
        const fits = (address) => m.localConditions(new URLSearchParams(address)).fit(event)
        return [addresses.map(fits), [name, text]]
    }"""
    asked = ["is=/user=u-17", "is=/user=u-1", "not=/user=u-17", "is=type=a=b&not=by=q", "is=/items=X", "word=x"]
    fits, written = call(page, "conditions", script, [PAYLOAD, asked], folder="")
    assert fits == [True, False, False, True, False, True]
    assert written == ["/items/0/a=b", "X=Y"]
    names = {"a": "a", "a*": r"a\*", "a\\*": r"a\\\*", "*": r"\*", "a*b": "a*b", "a\\": "a\\"}
    assert call(page, "menu", "(m, names) => names.map(m.exactly)", list(names), "/views") == list(names.values())


def test_what_a_search_field_finds_is_held_against_the_payload(page: Page) -> None:
    script = "(m, [payload, all, rules]) => all.map((keys) => m.hasKeys(payload, keys, rules))"
    fits = {
        ("user:u-17",): True,
        ("user:u-1",): False,
        ("user:u-17", "sku:X", "ok:true"): True,
        ("sku:Y",): False,
        ("sku:2",): False,
        ("odd:null",): True,
        ("nobody:u-17",): False,
    }
    given = [PAYLOAD, [list(keys) for keys in fits], RULES]
    assert call(page, "fields", script, given, folder="") == list(fits.values())
    assert call(page, "fields", script, [{"actor": "b:c"}, [["who:b:c"], ["user:b"]], RULES], "") == [True, False]
    script = "(m, [fields, pointers]) => pointers.map((pointer) => m.fieldOf(fields, pointer) ?? null)"
    pointers = ["/items/12/sku", "/items/x/sku", "/items/1/sku/2", "/a~1b/~0", "/user"]
    found = call(page, "fields", script, [RULES[1]["fields"], pointers], folder="")
    assert found == ["sku", None, None, "odd", "user"]
    script = "(m, lines) => lines.map(([text, at]) => m.termAt(text, at))"
    lines = [["type:us", 7], ["a type:us b", 9], ['x source:"web 1', 15], ["", 0], ["ty", 2]]
    terms = [(one["start"], one["name"], one["value"]) for one in call(page, "completing", script, lines, folder="")]
    assert terms == [(0, "type", "us"), (2, "type", "us"), (2, "source", "web 1"), (0, None, ""), (0, None, "ty")]
    script = "(m) => [m.qualifiers('o', ['order', 'other']), m.qualifiers('', []), m.term('source', 'web \"1')]"
    assert call(page, "completing", script, folder="") == [["order", "other"], [], 'source:"web ""1"']


def test_what_a_place_in_the_chart_means(page: Page) -> None:
    script = """(m, [figures, times, heights]) => {
        const { start_time: start, end_time: end } = m.barRange(figures, 1)
        const bars = times.map((time) => m.barAt(figures, Date.parse(time) / 1000))
        const segments = heights.map((height) => m.segmentAt(figures, 0, height) ?? null)
        return [bars, segments, m.told(figures, 0), [start, end]]
    }"""
    times = [f"2026-11-25T{clock}Z" for clock in ("10:59:59", "11:00:00", "09:59:59", "12:00:00")]
    bars, segments, told, span = call(page, "bars", script, [FIGURES, times, [2.9, 3.5, 5.5, 7]], folder="")
    assert (bars, segments) == ([0, 1, None, None], ["a", "b", None, None])
    assert (told["time"], told["total"]) == ("2026-11-25 10:00 UTC", "6 events")
    assert [(one["name"], one["count"]) for one in told["top"]] == [("a", 3), ("b", 2), ("others", 1)]
    assert span == ["2026-11-25T11:00:00.000Z", "2026-11-25T12:00:00.000Z"]


def test_local_times_records_and_names_to_begin_after(page: Page) -> None:
    script = "(m, texts) => texts.map((text) => [m.localTime(text), m.offset(text)])"
    assert call(page, "zone", script, list(IN_NEW_YORK), folder="") == [list(one) for one in IN_NEW_YORK.values()]
    texts = {"": 0, "a,b\n": 1, 'a,"b\nc"\nd\n': 2, '"a""\n"\n': 1}
    assert call(page, "downloads", "(m, texts) => texts.map(m.records)", list(texts), "") == list(texts.values())
    prefixes = ["a", "0", "acme", "a-", "a0", "z_", "9"]
    given = call(page, "picker", "(m, prefixes) => prefixes.map(m.before)", prefixes, folder="")
    assert [(after < prefix, after.startswith(prefix)) for prefix, after in zip(prefixes, given, strict=True)] == [
        (True, False)
    ] * len(prefixes)
    assert given[2] == "acmd".ljust(64, "z")


def test_verdicts_in_words(page: Page) -> None:
    now = parse_time(NOW)
    script = "(m, [all, now]) => all.map((one) => m.tamperedSentence('main', one, now))"
    told = call(page, "verdict", script, [[one for one, _ in VERDICTS], now], folder="")
    assert told == [words for _, words in VERDICTS]
    script = "(m, [standings, now]) => standings.map((one) => m.sentence(one, now))"
    last = CLEAN | {"events_checked": 4877}
    standings = [{"verdict": "intact", "last_full_audit": last}, None, {"damaged": True}]
    told = call(page, "verdict", script, [standings, now], folder="")
    assert told[0] == "Intact. Last full audit 24 Nov 17:32 UTC, 4,877 events."
    assert told[1] == "Not audited yet. No full audit of this chain has ended."
    assert told[2].startswith("Damaged: ")
