"""Which chains a collection's rows are of."""

from typing import Any

from pymongo.collection import Collection
from pymongo.errors import OperationFailure

_TOO_MANY = 17217
"""The error code that says that the different values of a field have more bytes than an answer."""


def chains_in(collection: Collection[dict[str, Any]]) -> list[Any]:
    """List the different values of ``chain``, by an index that begins with it; of an array each item.

    So a row with an array is reported by the chain that it names.
    """
    try:
        # One key for each name. Grouping costs as little, but not once there is an array: it would go over every row.
        return collection.distinct("chain")
    except OperationFailure as error:
        if error.code != _TOO_MANY:
            raise
        # Some 300,000 names have not room in one answer.
        grouped = collection.aggregate([{"$sort": {"chain": 1}}, {"$group": {"_id": "$chain"}}])
        return [found["_id"] for found in grouped]
