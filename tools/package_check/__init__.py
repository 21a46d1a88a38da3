"""`make package-check`: checks artefacts and template for mistakes that a review would miss.

Each module is one check: ``check(...)`` returns a ``Result``. ``__main__`` builds, runs all checks and says what to do.
"""
