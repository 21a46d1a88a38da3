"""A tenant proves its own head under the registry: over HTTP, with the client, and offline from a file."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import orjson
import pytest
from pymongo import MongoClient

from eventlog.anchors.registry import REGISTRY
from eventlog.anchors.signing import KeyFile, create_key_file
from eventlog.formats.checkpoint import origin_line
from eventlog.formats.head_proof import head_proof_fields, parse_head_proof, verify_head_proof
from eventlog.formats.members import parse_json
from eventlog.formats.note import VerifierKey, format_vkey
from eventlog.http import audits
from eventlog.settings import Settings
from eventlog.wiring.audit import AuditWiring
from eventlog.wiring.connection import Connection
from eventlog_client.cli import main
from tests.support.factories import draft
from tests.support.processes import Running, server
