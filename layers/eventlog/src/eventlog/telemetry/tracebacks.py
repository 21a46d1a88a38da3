"""What a log line may say of an error: where it was, and nothing of the values it was about."""

import traceback


def where(error: BaseException) -> list[str]:
    """List the innermost five places of an error's traceback, each as ``file:line function``, without values."""
    frames = traceback.extract_tb(error.__traceback__)[-5:]
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
