"""One package, so that its tests share a browser; see conftest.py."""
