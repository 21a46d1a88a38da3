"""The HTTP edge: requests in, answers and problem documents out.

Models of answers are ``defer_build``: they are for the OpenAPI document, and built when that is asked for.
"""

from pydantic import BaseModel

# FastAPI has 36 models of what such a document may say, which no function writes. Models inherit the setting.
BaseModel.model_config["defer_build"] = True
import fastapi.openapi.models  # noqa: E402, F401  50 of the 210 ms of FastAPI's import

del BaseModel.model_config["defer_build"]
