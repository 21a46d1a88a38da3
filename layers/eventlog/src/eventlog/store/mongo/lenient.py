"""How rows are decoded that nobody should have written: text that is no UTF-8 is replaced, any time read."""

from typing import Any

from bson.codec_options import CodecOptions, DatetimeConversion

LENIENT: CodecOptions[dict[str, Any]] = CodecOptions(
    unicode_decode_error_handler="replace", datetime_conversion=DatetimeConversion.DATETIME_MS
)
