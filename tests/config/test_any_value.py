"""Whatever stands anywhere in any of the files: a configuration, or ConfigErrors, nothing else."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from radiobridge.config.load import Files, load_gateway
from radiobridge.config.problems import ConfigErrors, Problem
from tests.config.home import GATEWAY, PLANS, TALKGROUPS, Home, make_home

FILES = {"windsor.yaml": GATEWAY, "talkgroups.yaml": TALKGROUPS, "plans.yaml": PLANS}

Steps = tuple[str | int, ...]


def ways(value: Any, way: Steps = ()) -> Iterator[Steps]:
    yield way
    listed = list(enumerate(value)) if isinstance(value, list) else []
    for key, inner in value.items() if isinstance(value, dict) else listed:
        yield from ways(inner, (*way, key))


WAYS = [(file, way) for file, text in FILES.items() for way in ways(yaml.safe_load(text))]

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**12), 10**12)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["", "usrp", "lines", "wav", "cor", "windsor/tac1", "127.0.0.1:1", "::", "/"])
    | st.text("abc/:-.é @", max_size=8),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["driver", "device", "listen", "peer", "main", "key", "0", "tac1"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=4,
)


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return make_home(tmp_path_factory.mktemp("home"))


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=300)
@given(st.sampled_from(WAYS), VALUES)
def test_any_value_anywhere(spoilt: Home, where: tuple[str, Steps], value: Any) -> None:
    file, way = where
    content = yaml.safe_load(FILES[file])
    if way:
        holder = content
        for step in way[:-1]:
            holder = holder[step]
        holder[way[-1]] = value
    else:
        content = value
    for name, text in FILES.items():
        spoilt.write(name, text)
    spoilt.write(file, yaml.safe_dump(content))
    problems = problems_of(spoilt.gateway)
    assert all(p.place.line >= 1 and p.text.en and p.text.fr for p in problems)


def problems_of(path: Path) -> tuple[Problem, ...]:
    try:
        load_gateway(path, files=Files.UNSEEN)
    except ConfigErrors as error:
        return error.problems
    return ()
