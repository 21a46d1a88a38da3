"""What a process keeps of the orders it has read: the first that names an event, and no more than there is room for."""

from eventlog.store.mongo.seen_orders import SeenOrders


def test_the_first_order_that_names_an_event_is_kept() -> None:
    seen = SeenOrders()
    assert (seen.upto("main"), seen.naming("main", [1])) == (-1, set())
    seen.add("main", [(9, [1, 2]), (7, [1])])
    seen.add("main", [(12, [2, 3])])
    assert (seen.upto("main"), seen.naming("main", [1, 2, 3, 4])) == (12, {7, 9, 12})
    assert (seen.upto("other"), seen.naming("other", [1])) == (-1, set())
    seen.forget("main")
    seen.forget("main")
    assert (seen.upto("main"), seen.naming("main", [1])) == (-1, set())


def test_what_there_is_no_room_for_is_read_again() -> None:
    seen = SeenOrders(most=4)
    seen.add("main", [(7, [0, 1]), (8, [2, 3, 4]), (9, [5])])
    assert (seen.upto("main"), seen.naming("main", range(6))) == (7, {7})
    seen.add("main", [(8, [2, 3])])
    assert seen.upto("main") == 8
    seen.add("other", [(3, [0])])
    assert (seen.upto("other"), seen.naming("other", [0])) == (-1, set())
    seen.forget("main")
    seen.add("other", [(3, [0])])
    assert seen.naming("other", [0]) == {3}
