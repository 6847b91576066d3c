"""`slimHTTP.memory`: a dict for many threads, with atomic operations."""

from __future__ import annotations

from collections.abc import MutableMapping

import pytest
import slimHTTP
from slimHTTP._state._memory import Memory
from support import in_threads


@pytest.fixture
def memory() -> Memory:
    return Memory()


def test_c6_4_it_is_a_mutable_mapping_like_a_dict(memory: Memory) -> None:
    assert isinstance(slimHTTP.memory, MutableMapping)
    memory['a'] = 1
    memory.update({'b': 2}, c=3)
    memory.update([('d', 4)])
    assert memory == {'a': 1, 'b': 2, 'c': 3, 'd': 4}
    assert memory != {'a': 1}
    assert list(memory) == ['a', 'b', 'c', 'd']
    assert (len(memory), 'a' in memory, 'z' in memory) == (4, True, False)
    assert (memory.get('z'), memory.get('z', 0), memory.pop('z', 7)) == (None, 0, 7)
    assert memory.pop('d') == 4
    assert memory.popitem() == ('c', 3)
    assert dict(memory.items()) == {'a': 1, 'b': 2}
    del memory['a']
    for read in (memory.__getitem__, memory.__delitem__, memory.pop):
        with pytest.raises(KeyError):
            read('a')
    memory.clear()
    assert not memory


def test_c6_4_increment_setdefault_and_update_by_a_function(memory: Memory) -> None:
    assert [memory.increment('n'), memory.increment('n', 4), memory.increment('n', by=-2)] == [
        1,
        5,
        3,
    ]
    assert memory.increment('price', 0.5, default=10) == 10.5
    assert memory.setdefault('list', []) is memory.setdefault('list', [])
    assert memory.update('n', lambda n: n * 2) == 6
    assert memory.update('new', lambda old: (old, 'made')) == (None, 'made')
    assert memory.update('newer', lambda old: [*old, 1], default=[]) == [1]
    assert memory.update('newest', lambda old: old + 1, 41) == 42


def test_c6_4_what_fails_changes_nothing(memory: Memory) -> None:
    memory['text'] = 'x'
    with pytest.raises(TypeError):
        memory.increment('text')
    with pytest.raises(ZeroDivisionError):
        memory.update('text', lambda _: 1 / 0)
    with pytest.raises(TypeError, match='expected a function, found `int`'):
        memory.update('text', 5)  # type: ignore[call-overload]
    with pytest.raises(TypeError):
        memory.update('text', str, 1, 2)  # type: ignore[call-overload]
    assert memory == {'text': 'x'}


def test_c6_4_a_function_may_use_the_memory_itself(memory: Memory) -> None:
    memory['other'] = 20
    assert memory.update('one', lambda _: memory['other'] + memory.increment('calls')) == 21


def test_c6_4_iteration_survives_writes(memory: Memory) -> None:
    memory.update({n: n for n in range(10)})
    for key in memory:
        memory[f'copy of {key}'] = key
    assert len(memory) == 20


def test_c6_4_every_operation_is_atomic_between_threads(memory: Memory) -> None:
    """Sixteen threads: no sum misses a step, and each prize is won once."""
    won: list[int] = []
    memory.update({f'prize {number}': number for number in range(500)})

    def work(me: int) -> None:
        for number in range(500):
            memory.increment('n')
            memory.update('m', lambda m: m + 1, default=0)
            while not memory.compare_and_set('c', seen := memory.get('c'), (seen or 0) + 1):
                pass
            if memory.setdefault(f'first {number}', me) == me:
                won.append(number)
            if memory.pop(f'prize {number}', None) is not None:
                won.append(number)

    in_threads(16, work)
    assert (memory['n'], memory['m'], memory['c']) == (8000, 8000, 8000)
    assert sorted(won) == sorted([*range(500)] * 2)
