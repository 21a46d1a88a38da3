"""Which media type an Accept header prefers (RFC 9110, section 12.5.1)."""

import time

from hypothesis import given
from hypothesis import strategies as st

from eventlog.http.negotiation import preferred
from tests.support.each import each

JSON, NDJSON, CSV = "application/json", "application/x-ndjson", "text/csv"
TYPES = (JSON, NDJSON, CSV)
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"
JAVA = "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2"


@each(
    "accept, chosen",
    [
        # Nothing is asked for.
        *((text, JSON) for text in ("", " ", ",", " , ,", "*/*", "*", "*/*;q=0.1", BROWSER, JAVA)),
        # Weights.
        ("text/csv;q=0, application/json", JSON),
        ("application/json;q=0.1, text/csv", CSV),
        ("application/json;q=0.5, text/csv;q=0.501", CSV),
        ("text/csv;q=0.5, application/x-ndjson;q=0.7, application/json;q=0.6", NDJSON),
        ("text/csv ; Q=0.2 , APPLICATION/JSON;q=0.1", CSV),
        ("application/json;q=0, */*", NDJSON),
        ("application/json;q=0, application/*;q=0.1, */*", CSV),
        ("*/*;q=0.1, application/*;q=0", CSV),
        ("text/csv;q=0.000, */*;q=0.001", JSON),
        # The range that says most about a type gives its weight, wherever it stands.
        ("text/*;q=1, text/csv;q=0.1, application/json;q=0.2", JSON),
        ("text/csv;q=0.1, text/*;q=1, application/json;q=0.2", JSON),
        ("*/*, application/json;q=0.9", NDJSON),
        # Of equal weights the type wins that is named more exactly, then the one named first, then our order.
        ("*/*, text/csv", CSV),
        ("application/*, text/csv", CSV),
        ("text/csv, application/json", CSV),
        ("application/json, text/csv", JSON),
        ("text/*", CSV),
        ("text/*, application/*", CSV),
        # Parameters: a range with one covers what has it.
        ("application/json;charset=utf-8", JSON),
        ('text/csv; charset="UTF-8"', CSV),
        ("text/csv;charset=utf-16;q=0, text/csv;q=0.5, application/json;q=0.4", CSV),
        ("text/csv;header=absent, application/json;q=0.1", JSON),
        ('application/json;x="a,b;q=1", text/csv;q=0.3', CSV),
        ('application/json;x="\\",text/csv', None),
        # What is no range, or has no weight, allows nothing and forbids nothing.
        ("json, text/csv", CSV),
        ("*/json, text/csv;q=0.1", CSV),
        ("text/csv;q=2, application/json;q=0.1", JSON),
        ("text/csv;q=-1, application/json;q=0.1", JSON),
        ("text/csv;q=0.1234, application/json;q=0.1", JSON),
        ("text/csv;q=nan, application/json;q=0.1", JSON),
        ("text/csv;q=, application/json;q=0.1", JSON),
        # Nothing that there is.
        *((text, None) for text in ("text/cvs", "json", "application/json;q=0", "*/*;q=0", "text/*;q=0", "/", "a/")),
        ("application/json;q=0, application/x-ndjson;q=0, text/csv;q=0, */*", None),
        ("application/json;version=2", None),
    ],
)
def test_the_type_with_the_highest_weight_is_chosen(accept: str, chosen: str | None) -> None:
    assert preferred(accept, TYPES) == chosen


@given(
    st.text(max_size=60)
    | st.lists(st.sampled_from([*TYPES, "*/*", ";q=", "0", "1", ".5", ",", '"', "\\", " "])).map("".join)
)
def test_any_text_chooses_one_of_the_types_or_none(accept: str) -> None:
    assert preferred(accept, TYPES) in {*TYPES, None}


@given(st.permutations([JSON, NDJSON, CSV]), st.permutations([0.1, 0.5, 0.9]))
def test_order_changes_nothing_where_weights_differ(order: list[str], weights: list[float]) -> None:
    ranked = sorted(zip(weights, TYPES, strict=True), reverse=True)
    weight = {media_type: given for given, media_type in ranked}
    accept = ", ".join(f"{media_type};q={weight[media_type]}" for media_type in order)
    assert preferred(accept, TYPES) == ranked[0][1]


@each("text", ['"', '"\\"', "\\", ";", ",", 'a/b;x="', '"\\', "a/b;q=1;"])
def test_a_long_header_takes_no_longer_than_its_length_demands(text: str) -> None:
    """A text that is twice as long takes some twice as long; quadratic, this one would take minutes."""
    began = time.process_time()
    preferred(text * (200_000 // len(text)), TYPES)
    assert time.process_time() - began < 20
