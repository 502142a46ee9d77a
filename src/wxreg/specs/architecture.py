"""The tables of names that settings may use: import strings, so that no table loads torch.

``semantics`` is raised by an author when equal settings begin to give other results; it is part
of every plan.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from wxreg.errors import ExternalError
from wxreg.ids import not_found

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


@dataclass(frozen=True)
class Named:
    """One name of a table."""

    target: str
    """``module:attribute``."""
    semantics: int = 1
    distribution: str | None = None
    """``name version`` of the plug-in that brings it; none for our own."""

    def load(self) -> Any:
        """Import the thing that the name stands for."""
        module, _, attribute = self.target.partition(":")
        return getattr(import_module(module), attribute)


@dataclass(frozen=True)
class Table:
    """Names of one kind, ours first, then those of installed plug-ins."""

    kind: str
    own: Mapping[str, Named]
    group: str | None = None
    """The entry-point group that is looked at only when a name is not ours."""

    def find(self, name: str) -> Named:
        """The entry of that name; ``NotFound`` lists the near ones."""
        if name in self.own:
            return self.own[name]
        plugins = {point.name: point for point in self._plugins()}
        if name not in plugins:
            raise not_found(self.kind, name, [*self.own, *plugins])
        return _plugin(plugins[name])

    def _plugins(self) -> tuple["EntryPoint", ...]:
        from importlib.metadata import entry_points

        return tuple(entry_points(group=self.group)) if self.group else ()


def _plugin(point: "EntryPoint") -> Named:
    """A plug-in declares its semantics on the class; its distribution is in the plan too."""
    try:
        loaded = point.load()
    except ImportError as error:
        raise ExternalError(
            "REG-700", f"plug-in {point.name} cannot be imported: {error}", where=point.value
        ) from error
    dist = point.dist
    origin = f"{dist.name} {dist.version}" if dist else "unknown"
    return Named(point.value, int(getattr(loaded, "semantics", 1)), origin)


def _own(**targets: str) -> Mapping[str, Named]:
    return MappingProxyType({k.replace("_", "-"): Named(f"wxreg.{v}") for k, v in targets.items()})


ARCHITECTURES: Final = Table(
    "architecture",
    {
        **_own(
            unet="models.unet:UNet",
            ddpm="models.ddpm:ConditionalDiffusion",
            aurora="models.aurora:AuroraForecaster",
            aurora_head="models.aurora_head:AuroraWithHead",
            aurora_multiscale="models.aurora_multiscale:AuroraMultiscale",
            aurora_trio="models.aurora_trio:AuroraTrio",
            nowcastnet="models.nowcastnet:NowcastNet",
            convlstm="models.convlstm:ConvLSTM",
            radar_unet="models.radar_unet:RadarSynthesis",
            radar_resunet="models.radar_unet:ResidualRadarSynthesis",
            harpnet="models.harpnet:Harpnet",
            downscaling_unet="models.downscaling_unet:DownscalingUNet",
            bayes_unet="models.bayes_unet:BayesUNet",
            vi_unet="models.vi_unet:VariationalUNet",
            corrdiff="models.corrdiff:CorrDiff",
            corrdiff_fast="models.distillation:DistilledCorrDiff",
            bilinear="models.baselines.bilinear:Bilinear",
            persistence="models.baselines.persistence:Persistence",
            damped_persistence="models.baselines.damped_persistence:DampedPersistence",
            climatology="models.baselines.climatology:Climatology",
            quantile_mapping="models.baselines.quantile_mapping:QuantileMapping",
            bcsd="models.baselines.bcsd:BCSD",
            optical_flow="models.baselines.optical_flow:OpticalFlow",
            archive="models.baselines.archive:Archive",
        ),
        "sr3": Named("wxreg.models.sr3:SuperResolutionDiffusion", semantics=2),
    },
    "wxreg.architectures",
)

LOSSES: Final = Table(
    "loss",
    {
        **_own(
            mse="models.losses.pointwise:MeanSquare",
            mae="models.losses.pointwise:MeanAbsolute",
            huber="models.losses.pointwise:Huber",
            almost_fair_crps="models.losses.ensemble:AlmostFairCrps",
            gaussian_nll="models.losses.likelihood:GaussianLikelihood",
            shifted_gamma_nll="models.losses.likelihood:CensoredShiftedGamma",
            spectral="models.losses.spectral:LogSpectrum",
            cape_cin="models.losses.physics:CapeCin",
            reflectivity_updraft="models.losses.physics:ReflectivityUpdraft",
            storm_motion="models.losses.physics:StormMotion",
            perceptual="models.losses.perceptual:Perceptual",
        ),
        "bounds": Named("wxreg.models.losses.physics:Bounds", semantics=2),
        "conservation": Named("wxreg.models.losses.physics:BlockMeanConservation", semantics=2),
        "clausius-clapeyron": Named("wxreg.models.losses.physics:ClausiusClapeyron", semantics=2),
        "physical-mse": Named("wxreg.models.losses.pointwise:PhysicalMeanSquare", semantics=2),
    },
    "wxreg.losses",
)

OWN_TERMS: Final = frozenset(
    {"denoising", "denoising-detail", "consistency", "continuity", "divergence", "head"}
)
"""Loss terms that an architecture computes itself: its own semantics cover them."""

READERS: Final = Table(
    "reader",
    _own(
        hrrr_grib="data.readers.hrrr_grib:HrrrGrib",
        hrrrzarr="data.readers.hrrrzarr:HrrrZarr",
        cf_zarr="data.readers.cf_zarr:CfZarr",
        arco_zarr="data.readers.arco_era5:ArcoEra5",
        wrf_zarr="data.readers.wrf_zarr:WrfZarr",
        cds_netcdf="data.readers.cds_netcdf:CdsNetcdf",
        cf_netcdf="data.readers.cf_netcdf:CfNetcdf",
        grib="data.readers.era5_grib:Era5Grib",
        sevir_hdf5="data.readers.sevir:Sevir",
        cmip6_catalogue="data.readers.cmip6:Cmip6",
        prism_raster="data.readers.prism_raster:PrismRaster",
        ghcn_daily="data.readers.ghcn_daily:GhcnDaily",
        canonical="data.stores:CanonicalReader",
    ),
    "wxreg.readers",
)

SAMPLERS: Final = Table(
    "sampler",
    _own(
        heun="models.samplers.edm:heun",
        euler="models.samplers.edm:euler",
        dpm2m="models.samplers.edm:dpm2m",
        ddim="models.samplers.ddim:ddim",
    ),
    "wxreg.samplers",
)

PREPARE_SEMANTICS: Final = 1
"""Raised when preparing equal bytes gives other stores."""

EVENT_NOISE_SEMANTICS: Final = 2
"""Raised when members of forecasts of events draw otherwise; 1 drew alike for one time."""

SCORES_SEMANTICS: Final = 1
"""Raised when scoring equal forecasts gives other states."""
