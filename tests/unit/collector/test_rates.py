from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from scorer.collector.rates import Bucket


@given(
    rate=st.floats(0.1, 1000),
    burst=st.floats(1, 1000),
    steps=st.lists(st.tuples(st.floats(0, 5), st.integers(1, 50)), max_size=200),
)
def test_nobody_gets_more_than_the_rate_and_one_burst_and_one_request(
    rate: float, burst: float, steps: list[tuple[float, int]]
) -> None:
    bucket = Bucket(rate, burst, 0.0)
    now, taken, largest = 0.0, 0, 0
    for pause, count in steps:
        now += pause
        if bucket.wait(now) == 0:
            bucket.take(count)
            taken += count
            largest = max(largest, count)
        assert taken <= burst + rate * now + largest + 1e-6


@given(rate=st.floats(0.1, 1000), burst=st.floats(1, 1000), count=st.integers(1, 5000))
def test_after_the_wait_there_is_something_to_take(rate: float, burst: float, count: int) -> None:
    bucket = Bucket(rate, burst, 0.0)
    bucket.take(count)
    seconds = bucket.wait(1.0)
    assert bucket.wait(1.0 + seconds) == 0
