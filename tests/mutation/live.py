"""Change a function of a process that has imported it already."""

import functools
import gc
from collections import Counter, defaultdict
from collections.abc import Iterator
from inspect import CO_OPTIMIZED
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

# its dotted name, and its number among those of that name
Place = tuple[str, int]


def is_in_a_function(before: bytes, after: bytes) -> bool:
    """Return whether only code differs that runs when a function is called, and not while its module is imported."""
    old, new = dict(_codes(before)), dict(_codes(after))
    changed = [place for place, code in old.items() if place not in new or not _same(code, new[place])]
    return bool(changed) and all(_is_called(name, old[name, number]) for name, number in changed)


class Functions:
    """The functions that this process has, by the file that they come from."""

    def __init__(self) -> None:
        self._by_file: defaultdict[str, list[FunctionType]] = defaultdict(list)
        self._caches: list[functools._lru_cache_wrapper[Any]] = []
        for thing in gc.get_objects():
            if isinstance(thing, FunctionType):
                self._by_file[thing.__code__.co_filename].append(thing)
            elif isinstance(thing, functools._lru_cache_wrapper):
                self._caches.append(thing)

    def change(self, path: Path, after: bytes) -> None:
        """Give each function of this file the code that it has in the changed source."""
        filename = str(path)
        codes = dict(_codes(after, filename))
        places = {(code.co_qualname, code.co_firstlineno): place for place, code in _codes(path.read_bytes(), filename)}
        for function in self._by_file[filename]:
            old = function.__code__
            new = codes.get(places[old.co_qualname, old.co_firstlineno])
            if new is not None and len(new.co_freevars) == len(old.co_freevars):
                function.__code__ = new
        for cache in self._caches:
            cache.cache_clear()


def _codes(source: bytes, filename: str = "") -> Iterator[tuple[Place, CodeType]]:
    seen: Counter[str] = Counter()
    pending = [compile(source, filename, "exec", dont_inherit=True)]
    while pending:
        code = pending.pop(0)
        seen[code.co_qualname] += 1
        yield (code.co_qualname, seen[code.co_qualname]), code
        pending += [constant for constant in code.co_consts if isinstance(constant, CodeType)]


def _same(old: CodeType, new: CodeType) -> bool:
    return _own(old) == _own(new)


def _own(code: CodeType) -> tuple[object, ...]:
    constants = [(type(each), each) for each in code.co_consts if not isinstance(each, CodeType)]
    return code.co_code, constants, code.co_names, code.co_varnames


def _is_called(name: str, code: CodeType) -> bool:
    if "<locals>" in name:
        return True
    return bool(code.co_flags & CO_OPTIMIZED) and not name.endswith(
        ("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>")
    )
