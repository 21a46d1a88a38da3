"""Times: what is accepted, what it means, and the one form written."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlog.formats.times import MAX_END, MAX_MILLIS, format_end, format_time, parse_end, parse_time


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z"),
        ("2024-11-23T12:34:56", "2024-11-23T12:34:56.000Z"),
        ("2024-11-23t12:34:56.7z", "2024-11-23T12:34:56.700Z"),
        ("2024-11-23T12:34:56+02:00", "2024-11-23T10:34:56.000Z"),
        ("2024-11-23T12:34:56-05:30", "2024-11-23T18:04:56.000Z"),
        ("2024-11-23T12:34:56-00:00", "2024-11-23T12:34:56.000Z"),
        ("2024-01-01T00:30:00+23:59", "2023-12-31T00:31:00.000Z"),
        ("2024-12-31T23:30:00-23:59", "2025-01-01T23:29:00.000Z"),
        ("2024-02-29T23:59:59Z", "2024-02-29T23:59:59.000Z"),
        ("2000-02-29T00:00:00+00:01", "2000-02-28T23:59:00.000Z"),
        ("2024-02-29T23:59:59-00:01", "2024-03-01T00:00:59.000Z"),
        ("2024-11-23T12:34:56.789999999Z", "2024-11-23T12:34:56.789Z"),
        ("2024-11-23T23:59:59.9999999999999999999999Z", "2024-11-23T23:59:59.999Z"),
        ("2024-11-23T12:34:56.0009Z", "2024-11-23T12:34:56.000Z"),
        ("2024-11-23T12:34:56.07Z", "2024-11-23T12:34:56.070Z"),
        ("1970-01-01T23:59:00+23:59", "1970-01-01T00:00:00.000Z"),
        ("1969-12-31T23:59:00-00:01", "1970-01-01T00:00:00.000Z"),
        ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999Z"),
    ],
)
def test_a_time_is_read_in_its_offset_and_written_in_utc_to_the_millisecond(text: str, written: str) -> None:
    assert format_time(parse_time(text)) == written


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("2016-12-31T23:59:60Z", "leap seconds"),
        ("2023-02-29T00:00:00Z", "no such time"),
        ("1900-02-29T00:00:00Z", "no such time"),
        ("2024-13-01T00:00:00Z", "no such time"),
        ("2024-04-31T00:00:00Z", "no such time"),
        ("2024-01-01T24:00:00Z", "no such time"),
        ("2024-01-01T00:60:00Z", "no such time"),
        ("0000-01-01T00:00:00Z", "no such time"),
        ("1969-12-31T23:59:59.9999Z", "1970..9999"),
        ("1970-01-01T00:00:00+00:01", "1970..9999"),
        ("0001-01-01T00:00:00+23:59", "1970..9999"),
        ("9999-12-31T23:59:59-00:01", "1970..9999"),
        ("2024-01-01T00:00:00+24:00", "offset"),
        ("2024-01-01T00:00:00-00:60", "offset"),
        ("2024-01-01", "RFC 3339"),
        ("2024-01-01 00:00:00Z", "RFC 3339"),
        ("2024-01-01T00:00Z", "RFC 3339"),
        ("2024-01-01T00:00:00.Z", "RFC 3339"),
        ("2024-01-01T00:00:00,5Z", "RFC 3339"),
        ("2024-01-01T00:00:00+0100", "RFC 3339"),
        ("2024-01-01T00:00:00 Z", "RFC 3339"),
        ("2024-01-01T00:00:00Z\n", "RFC 3339"),
        ("２０２４-01-01T00:00:00Z", "RFC 3339"),
        ("12024-01-01T00:00:00Z", "RFC 3339"),
        ("1700000000", "RFC 3339"),
        ("", "RFC 3339"),
    ],
)
def test_anything_else_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_time(text)


@given(
    moment=st.datetimes(datetime(1970, 1, 2), datetime(9999, 12, 30)),  # noqa: DTZ001  the offset is added below
    minutes=st.integers(-1439, 1439),
    finer=st.text("0123456789", max_size=6),
)
def test_a_time_in_any_offset_is_the_moment_it_names_with_finer_digits_dropped(
    moment: datetime, minutes: int, finer: str
) -> None:
    local = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    offset = f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
    assert parse_time(f"{local:%Y-%m-%dT%H:%M:%S.%f}{finer}{offset}") == (
        local - datetime(1970, 1, 1, tzinfo=UTC)
    ) // timedelta(milliseconds=1)


@given(st.integers(0, MAX_MILLIS))
def test_what_is_written_is_read_as_the_same_and_written_the_same_again(millis: int) -> None:
    text = format_time(millis)
    assert len(text) == len("2024-11-23T12:34:56.789Z")
    assert parse_time(text) == millis
    assert format_time(parse_time(text)) == text


@pytest.mark.parametrize("millis", [-1, MAX_MILLIS + 1, 2**63 - 1, -(2**63)])
def test_a_time_outside_the_years_is_not_written(millis: int) -> None:
    with pytest.raises(ValueError, match=r"outside the years 1970\.\.9999"):
        format_time(millis)


@pytest.mark.parametrize(
    "text",
    [
        "10000-01-01T00:00:00.000Z",
        "10000-01-01t00:00:00",
        "10000-01-01T00:00:00.0000-00:00",
        "+010000-01-01T00:00:00.000Z",
        "9999-12-31T23:59:00-00:01",
    ],
)
def test_the_end_of_a_range_can_be_after_all_times_and_has_one_written_form(text: str) -> None:
    assert parse_end(text) == MAX_END
    assert format_end(MAX_END) == "10000-01-01T00:00:00.000Z"
    with pytest.raises(ValueError, match=r"RFC 3339|1970\.\.9999"):
        parse_time(text)


@pytest.mark.parametrize(
    "text",
    [
        "10000-01-01T00:00:00.001Z",
        "10000-01-01T00:00:01Z",
        "10000-01-02T00:00:00Z",
        "10000-01-01T01:00:00+01:00",
        "+10000-01-01T00:00:00Z",
        "010000-01-01T00:00:00Z",
        "9999-12-31T23:59:00.001-00:01",
        "10000-01-01",
    ],
)
def test_nothing_later_is_an_end(text: str) -> None:
    with pytest.raises(ValueError, match=r"RFC 3339|1970\.\.9999"):
        parse_end(text)


@given(st.integers(0, MAX_MILLIS))
def test_every_other_end_is_a_time(millis: int) -> None:
    assert parse_end(format_time(millis)) == millis
    assert format_end(millis) == format_time(millis)
