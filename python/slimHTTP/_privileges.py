"""`drop_privileges`: giving up the rights of root, once every port is bound.

A program calls it, on any thread; the extension changes the user of all threads at once. Lazy
imports are made before, see `_serve._preload`. A server with the option `user` needs none of
this: the extension does the same when that server starts.
"""

from __future__ import annotations

from slimHTTP import _log
from slimHTTP._serve import _preload
from slimHTTP._server import instances
from slimHTTP._slimhttp import drop_privileges as _drop_to


def drop_privileges(user: str | None = None, group: str | None = None) -> bool:
    """Become another user, for good, with every thread; gives whether it is so.

    `user` and `group` are names; unless given, they are what the open servers
    are configured with (`user`, `group`). The group is the user's own if none
    is named; its further groups come along. Ports that are bound stay bound.

    Where it cannot be done (nobody is named, the system knows no such user,
    this process is not root) nothing changes, the log says why (WARNING), and
    it is False: a program that must not go on as root looks at it.

    A server that is configured with a `user` does this by itself when it
    begins to serve. Called earlier, nothing of the program runs as root from
    then on.
    """
    if user is None:
        for instance in dict.fromkeys(instances.values()):
            configured = instance.config.get('user')
            if configured is not None:
                user = str(configured)
                named = instance.config.get('group')
                group = group if named is None else str(named)
                break
        else:
            _log.logger.warning('privileges are kept: no server is configured with a `user`')
            return False
    _preload.import_all()
    reason = _drop_to(user, group)
    if reason is not None:
        _log.logger.warning('privileges are kept: %s', reason)
    return reason is None
