"""What a hostile text must not bring about: the interpreter's own audit events, watched while the text is read."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

EVENTS = (
    "exec", "import", "open", "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn",
    "os.remove", "os.rename",
    "os.mkdir", "os.putenv", "os.kill", "subprocess.Popen", "socket.__new__", "socket.connect", "ctypes.dlopen",
    "pickle.find_class",
    "marshal.loads", "code.__new__", "function.__new__", "builtins.input", "urllib.Request", "shutil.rmtree",
)  # fmt: skip
"""Events of code that runs, files that are opened, processes that start."""


class _Watch:
    """One hook for a process, since a hook cannot be taken away again."""

    def __init__(self) -> None:
        self.on, self.seen = False, list[str]()
        sys.addaudithook(self.hear)

    def hear(self, event: str, arguments: tuple[object, ...]) -> None:
        """Keep the event; `compile` of a text (not of a tree) is what ast.parse does, and runs nothing."""
        if self.on and event in EVENTS:
            self.seen.append(f"{event}{arguments[:1]}")


_WATCH = _Watch()


@contextmanager
def watched() -> Iterator[None]:
    """Fail when anything is run, imported or opened meanwhile."""
    _WATCH.seen.clear()
    _WATCH.on = True
    try:
        yield
    finally:
        _WATCH.on = False
    assert not _WATCH.seen, f"a text brought about {_WATCH.seen[:5]}"
