"""A real sharded cluster for tests: a config server, two shards and a router.

Where there is a mongos (``MONGOS=``, or on PATH) it is the router. Where there is none, ours is: mongod has the code of
mongos in it, as commands for internal use (``clusterFind``, ``clusterInsert``, ...), and ``router.py`` hands a client's
commands to a mongod that holds no data of its own. What mongos does outside these commands is done here, in the least
that the tests need: findAndModify, count, collections and indexes, sharding, and merging the change streams of shards.
Users and roles are kept, but nobody is asked who he is. There is no explain, no transaction and no retryable write.
"""
