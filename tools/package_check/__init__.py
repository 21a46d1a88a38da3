"""`make package-check`: holds what would be deployed, artefacts and template, against rules that a review would miss.

Each module is one check: ``check(...)`` gives a ``Result``. ``__main__`` builds, runs them all and says what to do.
"""
