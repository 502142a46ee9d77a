from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_world import artifact, fill, prefixes, sha, start

from wxreg.ledger.lineage import COMMON, ancestors, descendants, forecasts_holding
from wxreg.ledger.records import Edge, ForecastIndex, Holder
from wxreg.ledger.store import Ledger


def nodes(edges: tuple[Edge, ...]) -> set[str]:
    return {node for edge in edges for node in (edge.parent, edge.child)}


def test_the_ancestors_of_a_forecast_are_its_whole_chain(ledger: Ledger) -> None:
    fill(ledger)
    assert ancestors(ledger, sha("forecast")) == tuple(
        sorted(
            [
                Edge(sha("hrrr-mini"), sha("stats"), "source"),
                Edge(sha("hrrr-mini"), "train-1", "data"),
                Edge(sha("stats"), "train-1", "statistics"),
                Edge("train-1", sha("weights"), "output"),
                Edge(sha("weights"), "sample-1", "checkpoint"),
                Edge(sha("hrrr-mini"), "sample-1", "data"),
                Edge("sample-1", sha("forecast"), "output"),
            ]
        )
    )


def test_the_descendants_of_a_checkpoint_are_all_that_was_made_from_it(ledger: Ledger) -> None:
    fill(ledger)
    assert nodes(descendants(ledger, sha("weights"))) == {
        sha("weights"),
        "sample-1",
        sha("forecast"),
        sha("export"),
    }
    assert ancestors(ledger, sha("hrrr-mini")) == ()
    assert descendants(ledger, sha("unheard of")) == ()


def reached(edges: set[tuple[int, int]], node: int) -> set[tuple[int, int]]:
    """Edges on the ways up, by the plainest walk there is."""
    todo, walked = {node}, set[tuple[int, int]]()
    while todo:
        here = todo.pop()
        new = {edge for edge in edges if edge[1] == here} - walked
        walked |= new
        todo |= {parent for parent, _ in new}
    return walked


@settings(max_examples=20, deadline=None)
@given(st.sets(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=15))
def test_both_walks_equal_the_plain_one_in_any_graph_cycles_included(
    tmp_path_factory: pytest.TempPathFactory, edges: set[tuple[int, int]]
) -> None:
    with Ledger.open(tmp_path_factory.mktemp("graph") / "ledger.db") as ledger:
        for child in {child for _, child in edges}:
            sources = {str(parent): "source" for parent, to in edges if to == child}
            ledger.register(replace(artifact("x", "graph"), sha256=str(child)), sources=sources)
        for node in range(7):
            up = {(int(e.parent), int(e.child)) for e in ancestors(ledger, str(node))}
            assert up == reached(edges, node)
            down = {(int(e.child), int(e.parent)) for e in descendants(ledger, str(node))}
            assert down == reached({(child, parent) for parent, child in edges}, node)


def hold(ledger: Ledger, name: str, fields: tuple[int, ...]) -> None:
    ledger.register(artifact(name, "forecast"), ForecastIndex(sha(name), sha("root"), fields))


def test_a_forecast_is_found_by_any_of_its_fields(ledger: Ledger) -> None:
    hold(ledger, "a", prefixes("a"))
    hold(ledger, "b", prefixes("b"))
    assert forecasts_holding(ledger, prefixes("a")).full == (Holder(sha("a"), 20),)
    (one,) = forecasts_holding(ledger, prefixes("b")[3:4]).holders
    assert one == Holder(sha("b"), 1)
    assert forecasts_holding(ledger, prefixes("c")).holders == ()
    assert forecasts_holding(ledger, ()).holders == ()


def test_the_best_match_comes_first_and_partial_matches_are_counted(ledger: Ledger) -> None:
    hold(ledger, "a", prefixes("a"))
    hold(ledger, "b", prefixes("a")[:5] + prefixes("b"))
    found = forecasts_holding(ledger, prefixes("a"))
    assert found.holders == (Holder(sha("a"), 20), Holder(sha("b"), 5))
    assert found.full == (Holder(sha("a"), 20),)


def test_two_forecasts_with_the_same_fields_are_both_named(ledger: Ledger) -> None:
    hold(ledger, "a", prefixes("a"))
    hold(ledger, "b", prefixes("a"))
    assert {holder.sha256 for holder in forecasts_holding(ledger, prefixes("a")).full} == {
        sha("a"),
        sha("b"),
    }


def test_every_64_bit_prefix_can_be_kept_and_found(ledger: Ledger) -> None:
    edges = (0, 1, 2**63 - 1, 2**63, 2**64 - 1)
    hold(ledger, "a", edges)
    assert forecasts_holding(ledger, edges).full == (Holder(sha("a"), 5),)


def test_a_constant_field_alone_points_nowhere_and_confirms_the_others(ledger: Ledger) -> None:
    dry = 42
    for number in range(COMMON + 5):
        hold(ledger, f"f{number}", (dry, *prefixes(f"f{number}", 2)))
    alone = forecasts_holding(ledger, [dry])
    assert (alone.common, alone.holders) == (1, ())
    both = forecasts_holding(ledger, [dry, *prefixes("f7", 2)])
    assert both.common == 1
    assert both.full == (Holder(sha("f7"), 3),)


def test_indexing_a_forecast_again_changes_no_field(ledger: Ledger) -> None:
    ledger.begin(start("sample-1", "sample"))
    hold(ledger, "a", prefixes("a"))
    before = ledger.head()
    hold(ledger, "a", prefixes("a"))
    assert ledger.head().sequence == before.sequence + 1
    assert len(forecasts_holding(ledger, prefixes("a")).holders) == 1
