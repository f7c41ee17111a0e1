"""However many awards look at one activity, those whose condition holds are granted, each once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from scorer.domain.model import Award, Compare, Fixed, Matcher
from tests.unit.domain.world import VIEWED, World, model

PATHS = ["/", "/blog", "/Blog/post-1", "/blog/post-12", "/docs/guide-1", "/docs", "/pricing", "straße", "7"]

conditions = st.one_of(
    st.none(),
    st.builds(
        Compare,
        st.sampled_from(["path", "title"]),
        st.sampled_from(["equals", "prefix"]),
        st.lists(st.sampled_from(PATHS), min_size=1, max_size=4, unique=True).map(tuple),
    ),
    st.builds(Compare, st.just("seconds"), st.just("equals"), st.sampled_from([(7,), (7, 8.5), ("7",)])),
)
views = st.dictionaries(st.sampled_from(["path", "title", "other"]), st.sampled_from([*PATHS, "STRASSE"]))
seconds = st.sampled_from([{}, {"seconds": 7}, {"seconds": 7.0}, {"seconds": "7"}])


@given(
    st.lists(conditions, min_size=1, max_size=40),
    st.lists(st.tuples(views, seconds, st.booleans()), min_size=1, max_size=5),
)
def test_awards_found_by_their_index_are_those_whose_condition_holds(
    wheres: list[Compare | None], activities: list[tuple[dict[str, str], dict[str, object], bool]]
) -> None:
    # Powers of two: a sum tells which awards were granted, and how often.
    awards = [
        Award(f"a{n}", "engagement", Matcher((VIEWED,), where), Fixed(8.0 ** (n % 17)))
        for n, where in enumerate(wheres)
    ]
    rules = model(*awards, enter=1e18, leave=0)
    engine, oracle = World("engine").rules(rules), World("oracle").rules(rules)
    for place, (view, spent, backwards) in enumerate(activities):
        properties = {**view, **spent}
        if backwards:
            properties = dict(reversed(properties.items()))
        for world in (engine, oracle):
            world.fact(VIEWED, place, id=str(place), **properties)
    assert engine.total(9) == oracle.total(9)
