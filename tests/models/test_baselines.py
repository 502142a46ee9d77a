from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_worlds import (
    hilly_batch,
    hilly_blueprint,
    hilly_days,
    storm_batch,
    storm_blueprint,
    storm_events,
)

from wxreg.errors import Incompatible
from wxreg.models.baselines.interpolation import interpolate_real
from wxreg.models.baselines.quantiles import (
    level_of,
    map_changes,
    map_quantiles,
    quantiles_of,
    spread_dry_days,
    value_at,
)
from wxreg.models.building import build, load_weights
from wxreg.models.convolution_blocks import block_mean
from wxreg.models.forecaster import Channel
from wxreg.models.noise import MemberNoise

SIZE = (32, 48)
DAYS = hilly_days(60, SIZE, seed=5)
TRAIN, TEST = hilly_batch(DAYS[:40]), hilly_batch(DAYS[40:])
EVENTS = storm_events(6, size=32, seed=6)
WET = {"wet": {"precip_24h": 0.1}}


def noise(batch) -> MemberNoise:
    return MemberNoise(0, batch.time.tolist(), 1)


def forecast(forecaster, batch):
    return forecaster.sample(batch, 1, noise(batch))[:, 0]


def rmse(one, other) -> float:
    return float((one - other).square().nanmean().sqrt())


def test_persistence_repeats_the_newest_real_value() -> None:
    batch = storm_batch(EVENTS, 13, 12, ("vil",))
    mask = batch.input_mask.clone()
    mask[:, 12, 0, 3, 4] = False
    mask[:, :, 0, 5, 6] = False
    told = replace(batch, input_mask=mask)
    shown = forecast(build(storm_blueprint("persistence", {}, size=32)), told)
    assert torch.equal(shown[:, 7, 0, 10], batch.inputs[:, 12, 0, 10])
    assert torch.equal(shown[:, 0, 0, 3, 4], batch.inputs[:, 11, 0, 3, 4])
    assert bool(shown[:, :, 0, 5, 6].isnan().all()), "no value is invented where none was seen"


def test_a_baseline_without_its_target_among_the_inputs_is_refused() -> None:
    blueprint = storm_blueprint("persistence", {}, inputs=("ir069",))
    with pytest.raises(Incompatible, match="needs vil among its inputs"):
        build(blueprint)


@pytest.mark.parametrize("name", ["climatology", "damped-persistence", "quantile-mapping", "bcsd"])
def test_a_fit_must_come_first_and_its_weights_are_enough_to_forecast(name: str) -> None:
    blueprint = hilly_blueprint(name, {}, size=SIZE)
    batch, train = TEST, TRAIN
    if name == "damped-persistence":
        blueprint = storm_blueprint(name, {}, size=32)
        batch = train = storm_batch(EVENTS, 13, 12, ("vil",))
    forecaster = build(blueprint)
    with pytest.raises(Incompatible, match="not fitted"):
        forecast(forecaster, batch)
    with pytest.raises(Incompatible, match="no training loss"):
        forecaster.loss(batch, torch.Generator())
    forecaster.fit([train.pick(slice(0, 4)), train.pick(slice(4, None))])
    other = build(blueprint)
    load_weights(other, forecaster.state_dict())
    torch.testing.assert_close(forecast(other, batch), forecast(forecaster, batch))


def test_climatology_is_the_training_mean_of_each_hour() -> None:
    blueprint = replace(hilly_blueprint("climatology", {"hours": 2}, size=SIZE), leads=1)
    half = torch.arange(40) % 2 * 43200.0
    train = replace(TRAIN, time=half)
    forecaster = build(blueprint)
    forecaster.fit([train.pick(slice(0, 9)), train.pick(slice(9, None))])
    expected = train.target[1::2, 0].mean(0)
    torch.testing.assert_close(forecast(forecaster, train)[1, 0], expected, atol=1e-4, rtol=1e-4)


def test_damped_persistence_is_the_regression_on_the_last_value() -> None:
    batch = storm_batch(EVENTS, 13, 12, ("vil",))
    forecaster = build(storm_blueprint("damped-persistence", {"by_place": False}, size=32))
    forecaster.fit([batch.pick(slice(0, 2)), batch.pick(slice(2, None))])
    start = batch.inputs[:, 12, 0].flatten().double().numpy()
    for lead in (0, 5, 11):
        end = batch.target[:, lead, 0].flatten().double().numpy()
        slope, intercept = np.polyfit(start, end, 1)
        shown = forecast(forecaster, batch)[:, lead, 0].flatten().numpy()
        np.testing.assert_allclose(shown, slope * start + intercept, atol=1e-3)
    persistence = build(storm_blueprint("persistence", {}, size=32))
    assert rmse(forecast(forecaster, batch), batch.target) < rmse(
        forecast(persistence, batch), batch.target
    )


def test_interpolation_uses_real_neighbours_and_leaves_gaps_missing() -> None:
    coarse = torch.full((1, 1, 4, 4), 5.0)
    coarse[0, 0, 1, 2] = torch.nan
    fine = interpolate_real(coarse, 4)
    gap = fine[0, 0, 4:8, 8:12]
    assert bool(gap.isnan().all())
    assert int(fine.isnan().sum()) == 16
    torch.testing.assert_close(fine[~fine.isnan()], torch.full((240,), 5.0))


class TestQuantileLaws:
    @settings(max_examples=30, deadline=None)
    @given(st.integers(0, 10_000))
    def test_a_climate_maps_onto_itself_unchanged(self, seed: int) -> None:
        samples = torch.randn(50, 3, generator=torch.Generator().manual_seed(seed))
        table = quantiles_of(samples, 20)
        torch.testing.assert_close(
            map_quantiles(samples, table, table), samples, atol=1e-4, rtol=1e-4
        )

    @settings(max_examples=30, deadline=None)
    @given(st.integers(0, 10_000), st.floats(-3, 3), st.floats(0.2, 5))
    def test_a_shifted_and_stretched_climate_is_put_back(self, seed, shift, stretch) -> None:
        truth = torch.randn(400, 2, generator=torch.Generator().manual_seed(seed))
        model = truth * stretch + shift
        mapped = map_quantiles(model, quantiles_of(model, 50), quantiles_of(truth, 50))
        tail = truth.abs() > 1.5
        assert (mapped - truth).abs()[~tail].max() < 0.3
        in_order = mapped.gather(0, model.argsort(dim=0))
        assert bool((in_order.diff(dim=0) >= -1e-4).all()), "mapping keeps the order"

    def test_quantiles_are_those_of_numpy_and_skip_what_is_missing(self) -> None:
        samples = torch.randn(31, 4, 3, generator=torch.Generator().manual_seed(2))
        samples[torch.rand(31, 4, 3, generator=torch.Generator().manual_seed(3)) < 0.3] = torch.nan
        samples[:, 0, 0] = torch.nan
        levels = (np.arange(10) + 0.5) / 10
        with np.testing.suppress_warnings() as quiet:
            quiet.filter(RuntimeWarning)
            expected = np.nanquantile(samples.numpy(), levels, axis=0)
        np.testing.assert_allclose(quantiles_of(samples, 10), expected, atol=1e-5)

    def test_levels_and_values_are_inverse(self) -> None:
        table = torch.randn(20, 5).sort(dim=0).values
        values = table[:-1] + 0.3 * table.diff(dim=0)
        torch.testing.assert_close(value_at(level_of(values, table), table), values)

    @pytest.mark.parametrize("ratio", [False, True])
    def test_delta_mapping_preserves_the_models_own_change(self, ratio: bool) -> None:
        generator = torch.Generator().manual_seed(1)
        observed = torch.rand(3000, 1, generator=generator) * 4 + 1
        past = torch.rand(3000, 1, generator=generator) * 2 + 1
        future = past * 1.5 if ratio else past + 2.0
        tables = [quantiles_of(one, 100) for one in (future, past, observed)]
        corrected = map_changes(future, *tables, ratio=ratio)
        target = observed * 1.5 if ratio else observed + 2.0
        assert abs(float(corrected.mean() - target.mean())) < 0.02 * float(target.mean())
        plain = map_quantiles(future, tables[1], tables[2])
        changes = [abs(float(one.mean() - target.mean())) for one in (corrected, plain)]
        assert changes[0] < changes[1], "plain quantile mapping bends the trend"

    def test_dry_days_are_spread_below_the_wet_amount_only(self) -> None:
        samples = torch.tensor([[0.0], [5.0], [0.0], [0.02], [0.7]])
        spread = spread_dry_days(samples, 0.1)
        torch.testing.assert_close(spread[[1, 4]], samples[[1, 4]])
        assert bool((spread[[0, 2, 3]] < 0.1).all())
        assert len(spread.unique()) == 5


def test_a_model_that_drizzles_gets_the_observed_share_of_dry_days() -> None:
    rain = torch.from_numpy(DAYS[:, :1].copy())
    days = torch.cat([rain, torch.from_numpy(DAYS[:, 1:])], dim=1)
    batch = hilly_batch(days.numpy())
    drizzle = replace(batch, inputs=batch.inputs + torch.tensor([0.6, 0.0]).reshape(1, 1, 2, 1, 1))
    forecaster = build(hilly_blueprint("quantile-mapping", WET, size=SIZE))
    forecaster.fit([drizzle])
    shown = forecast(forecaster, drizzle)[:, 0, 0]
    truth = batch.target[:, 0, 0]
    dry = [float((one < 0.1).float().mean()) for one in (shown, truth)]
    assert abs(dry[0] - dry[1]) < 0.03
    assert float((forecast_bilinear(drizzle)[:, 0, 0] < 0.1).float().mean()) < 0.01
    assert shown.min() >= 0


def forecast_bilinear(batch):
    return forecast(build(hilly_blueprint("bilinear", {}, size=SIZE)), batch)


def test_the_trend_preserving_variant_keeps_a_warming_that_the_plain_one_bends() -> None:
    biased = replace(TRAIN, inputs=TRAIN.inputs * torch.tensor([1.0, 0.6]).reshape(1, 1, 2, 1, 1))
    warmer = replace(biased, inputs=biased.inputs + torch.tensor([0.0, 3]).reshape(1, 1, 2, 1, 1))
    errors = {}
    for variant in ("empirical", "trend-preserving"):
        blueprint = hilly_blueprint("quantile-mapping", {**WET, "variant": variant}, size=SIZE)
        forecaster = build(blueprint)
        forecaster.fit([biased])
        forecaster.observe([biased])
        now = forecast(forecaster, biased)[:, 0, 1].mean()
        forecaster.observe([warmer])
        later = forecast(forecaster, warmer)[:, 0, 1].mean()
        errors[variant] = abs(float(later - now) - 3.0)
    assert errors["trend-preserving"] < 0.05 < errors["empirical"]


@pytest.mark.parametrize("name", ["quantile-mapping", "bcsd"])
def test_a_trend_is_never_corrected_before_its_period_was_read(name: str) -> None:
    blueprint = hilly_blueprint(name, {**WET, "variant": "trend-preserving"}, size=SIZE)
    forecaster = build(blueprint)
    forecaster.fit([TRAIN])
    with pytest.raises(Incompatible, match="not shown the period"):
        forecast(forecaster, TEST)
    forecaster.observe([TEST])
    assert bool(forecast(forecaster, TEST).isfinite().all())


class TestBCSD:
    def fitted(self):
        forecaster = build(hilly_blueprint("bcsd", WET, size=SIZE))
        forecaster.fit([TRAIN])
        return forecaster

    def test_it_beats_interpolation_over_hills(self) -> None:
        shown, plain = forecast(self.fitted(), TEST), forecast_bilinear(TEST)
        for place in range(2):
            truth = TEST.target[:, :, place]
            assert rmse(shown[:, :, place], truth) < rmse(plain[:, :, place], truth)

    def test_a_dry_coarse_day_is_dry_on_the_fine_grid(self) -> None:
        inputs = TEST.inputs.clone()
        inputs[0, :, 0] = 0.0
        shown = forecast(self.fitted(), replace(TEST, inputs=inputs))
        assert shown[0, 0, 0].max() == 0.0
        assert shown[:, :, 0].min() >= 0.0

    def test_the_mean_coarse_field_becomes_the_fine_climate(self) -> None:
        forecaster = self.fitted()
        climate = block_mean(forecaster.climate[None], 8)
        torch.testing.assert_close(
            forecaster.disaggregate(climate)[0], forecaster.climate, atol=1e-3, rtol=1e-3
        )

    def test_the_bias_is_corrected_before_interpolation(self) -> None:
        warm = replace(TRAIN, inputs=TRAIN.inputs + torch.tensor([0.0, 4]).reshape(1, 1, 2, 1, 1))
        forecaster = build(hilly_blueprint("bcsd", WET, size=SIZE))
        forecaster.fit([warm])
        bias = (forecast(forecaster, warm) - TRAIN.target)[:, :, 1].mean()
        assert abs(float(bias)) < 0.1


class TestArchive:
    def batch(self, bias: float):
        batch = storm_batch(EVENTS, 13, 12, ("vil",))
        archived = batch.target * 1.3 + bias
        return replace(batch, inputs=archived, input_mask=torch.ones_like(archived).bool())

    def build(self, **chosen):
        return build(storm_blueprint("archive", chosen, history=12, leads=12, size=32))

    def test_it_serves_the_archived_forecast_itself(self) -> None:
        batch = self.batch(0.5)
        assert not self.build().needs_fit
        assert self.build(correction="quantile").needs_fit
        assert torch.equal(forecast(self.build(), batch), batch.inputs)

    def test_mean_bias_and_quantiles_are_learned(self) -> None:
        batch = self.batch(0.5)
        errors = {}
        for correction in ("none", "mean-bias", "quantile"):
            forecaster = self.build(correction=correction, by_place=False)
            forecaster.fit([batch])
            shown = forecast(forecaster, batch)
            errors[correction] = rmse(shown, batch.target)
            if correction == "mean-bias":
                assert abs(float((shown - batch.target).mean())) < 1e-4
        assert errors["quantile"] < errors["mean-bias"] < errors["none"]

    def test_storms_that_were_missed_do_not_make_the_others_stronger(self) -> None:
        """Right wherever it has an echo, the forecast lacks every third one: it stays as it is."""
        batch = self.batch(0.0)
        missing = torch.arange(batch.target.shape[-1]) % 3 == 0
        archived = torch.where(missing, 0.0, batch.target)
        batch = replace(batch, inputs=archived)
        plain, careful = (
            self.build(correction="quantile", by_place=False, floor=floor)
            for floor in ({}, {"vil": 0.0})
        )
        for forecaster in (plain, careful):
            forecaster.fit([batch])
        before, spoilt, after = (
            rmse(shown, batch.target)
            for shown in (archived, forecast(plain, batch), forecast(careful, batch))
        )
        assert after < 1.02 * before < spoilt
        assert not bool(forecast(careful, batch)[..., missing].any())

    def test_weak_echoes_that_were_made_too_often_become_nothing(self) -> None:
        batch = self.batch(0.0)
        target = torch.where(batch.target < 0.5, 0.0, batch.target)
        drizzle = torch.rand(target.shape, generator=torch.Generator().manual_seed(3)) * 0.5
        batch = replace(batch, target=target, inputs=torch.maximum(target, drizzle))
        forecaster = self.build(correction="quantile", by_place=False, floor={"vil": 0.0})
        forecaster.fit([batch])
        made, shown, wet = (
            float((fields > 0).float().mean())
            for fields in (batch.inputs, forecast(forecaster, batch), target)
        )
        assert made > 0.9
        assert abs(shown - wet) < 0.02

    def test_a_lead_without_an_archived_step_is_refused(self) -> None:
        with pytest.raises(Incompatible, match="cannot serve"):
            build(storm_blueprint("archive", {}, history=2, leads=12))


class TestOpticalFlow:
    def test_it_moves_a_storm_and_beats_persistence(self) -> None:
        pytest.importorskip("pysteps")
        y, x = np.mgrid[:48, :48]
        frames = [10 * np.exp(-((y - 24) ** 2 + (x - 12 - t) ** 2) / 40) for t in range(25)]
        events = np.stack(frames)[None, :, None].repeat(3, axis=2).astype(np.float32)
        batch = storm_batch(events, 13, 12, ("vil",))
        flow = forecast(build(storm_blueprint("optical-flow", {})), batch)
        still = forecast(build(storm_blueprint("persistence", {})), batch)
        assert rmse(flow, batch.target) < 0.3 * rmse(still, batch.target)

    def test_pysteps_prints_nothing_of_its_own(self, capsys) -> None:
        pytest.importorskip("pysteps")
        batch = storm_batch(EVENTS[:1], 13, 12, ("vil",))
        forecast(build(storm_blueprint("optical-flow", {}, size=32)), batch)
        assert capsys.readouterr().out == ""

    def test_one_frame_has_no_motion(self) -> None:
        with pytest.raises(Incompatible, match="two input frames"):
            build(storm_blueprint("optical-flow", {}, history=1))


def test_a_variable_on_a_level_is_found_by_level() -> None:
    blueprint = hilly_blueprint("bilinear", {}, size=SIZE)
    blueprint = replace(
        blueprint,
        inputs=(Channel("t", 850.0), Channel("t", 500.0)),
        targets=(Channel("t", 500.0),),
    )
    shown = forecast(build(blueprint), TEST)
    torch.testing.assert_close(shown[:, 0], interpolate_real(TEST.inputs[:, 0, 1:], 8))
