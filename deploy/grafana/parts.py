"""The kinds of panels, each with all that makes it readable: a sentence, a unit, names, colours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from grafana_foundation_sdk.builders import bargauge, common, dashboard, heatmap, prometheus, stat, timeseries
from grafana_foundation_sdk.models import common as options
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models import heatmap as heatmaps
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from deploy.grafana.expressions import NOTHING

SOURCE: Final = models.DataSourceRef(type_val="prometheus", uid="${datasource}")
WIDTH: Final = 24
"""Of Grafana's grid."""

GOOD, MIND, BAD, PLAIN = "green", "orange", "red", "blue"
Steps = Sequence[tuple[float | None, str]]
"""Colours from a value on; the first from anywhere (None)."""
NEUTRAL: Final[Steps] = ((None, PLAIN),)
ANY_IS_BAD: Final[Steps] = ((None, GOOD), (1, BAD))
NOBODY: Final = "nobody answers"
DIM: Final = "#4a4d57"
COUNT: Final = "locale"
"""Grafana's unit of whole numbers: all their digits."""

_Panel = TypeVar("_Panel", stat.Panel, timeseries.Panel, bargauge.Panel, heatmap.Panel)


@dataclass(frozen=True, kw_only=True)
class Part:
    """``unit``: one of Grafana's. ``say``: what is asked of it, and how to read the answer."""

    title: str
    say: str
    unit: str
    width: int
    height: int

    def panel(self) -> models.Panel:
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Tile(Part):
    """A number as it is now: asked as of this moment, for the last one of a graph may be an hour old."""

    query: str
    name: str
    steps: Steps = NEUTRAL
    texts: Mapping[str, str] = field(default_factory=dict)
    """Value -> what is shown in its place."""
    decimals: int | None = None
    nobody: str = NOBODY
    """Shown in red where there is no data."""
    width: int = 4
    height: int = 4

    def panel(self) -> models.Panel:
        built = (
            _common(stat.Panel(), self)
            .with_target(_query(self.query, self.name, "A", instant=True))
            .color_mode(options.BigValueColorMode.BACKGROUND)
            .graph_mode(options.BigValueGraphMode.NONE)
            .justify_mode(options.BigValueJustifyMode.CENTER)
            .text_mode(options.BigValueTextMode.VALUE)
            .orientation(options.VizOrientation.AUTO)
            .reduce_options(common.ReduceDataOptions().calcs(["last"]).values(False))  # noqa: FBT003
            .thresholds(_thresholds(self.steps))
            .color_scheme(_by(models.FieldColorModeId.THRESHOLDS))
            .mappings(self._mappings())
        )
        if self.decimals is not None:
            built.decimals(self.decimals)
        return built.build()

    def _mappings(self) -> list[models.ValueMapping]:
        nothing = models.ValueMappingResult(text=self.nobody, color=BAD, index=len(self.texts))
        match = models.DashboardSpecialValueMapOptions(
            match=models.SpecialValueMatch.NULL_AND_NAN, result=nothing
        )
        told: list[models.ValueMapping] = [
            models.ValueMap(
                options={
                    value: models.ValueMappingResult(text=text, index=place)
                    for place, (value, text) in enumerate(self.texts.items())
                }
            )
        ]
        return [*(told if self.texts else []), models.SpecialValueMap(options=match)]


@dataclass(frozen=True, kw_only=True)
class Graph(Part):
    """Lines over time. ``queries``: a legend, or a pattern of one, and the query."""

    queries: Mapping[str, str]
    stack: bool = False
    bars: bool = False
    log: bool = False
    floor: bool = True
    """Whether its scale begins at 0."""
    limit: float | None = None
    """What it must stay below, drawn as a dashed line."""
    fastest: str | None = None
    """Distance of its points at least."""
    down: str | None = None
    """A series that is drawn below 0, so that it can be told from the others."""
    colors: Mapping[str, str] = field(default_factory=dict)
    """Name of a series -> its colour, where one means something."""
    width: int = 12
    height: int = 8

    def panel(self) -> models.Panel:
        built = (
            _common(timeseries.Panel(), self)
            .targets([_query(q, name, _ref(n)) for n, (name, q) in enumerate(self.queries.items())])
            .color_scheme(_by(models.FieldColorModeId.PALETTE_CLASSIC_BY_NAME))
            .draw_style(options.GraphDrawStyle.BARS if self.bars else options.GraphDrawStyle.LINE)
            .line_width(1)
            .fill_opacity(80 if self.bars else 30 if self.stack else 0)
            .show_points(options.VisibilityMode.AUTO)
            .span_nulls(False)  # noqa: FBT003 - a gap is an answer
            .legend(
                common.VizLegendOptions()
                .show_legend(True)  # noqa: FBT003
                .display_mode(options.LegendDisplayMode.LIST)
                .placement(options.LegendPlacement.BOTTOM)
                .calcs([])
            )
            .tooltip(
                common.VizTooltipOptions()
                .mode(options.TooltipDisplayMode.MULTI)
                .sort(options.SortOrder.DESCENDING)
            )
            .stacking(
                common.StackingConfig().mode(
                    options.StackingMode.NORMAL if self.stack else options.StackingMode.NONE
                )
            )
        )
        if self.log:
            built.scale_distribution(
                common.ScaleDistributionConfig().type(options.ScaleDistribution.LOG).log(10)
            )
        elif self.down is None and self.floor:
            built.min(0)
        if self.limit is not None:
            built.thresholds(_thresholds(((None, "transparent"), (self.limit, BAD)))).thresholds_style(
                common.GraphThresholdsStyleConfig().mode(options.GraphTresholdsStyleMode.DASHED)
            )
        if self.fastest is not None:
            built.interval(self.fastest)
        built.override_by_regexp(f".*{NOTHING}$", [_fixed(DIM)])
        for name, color in self.colors.items():
            built.override_by_name(name, [_fixed(color)])
        if self.down is not None:
            built.override_by_name(self.down, [models.DynamicConfigValue("custom.transform", "negative-Y")])
        return built.build()


@dataclass(frozen=True, kw_only=True)
class Bars(Part):
    """A bar for each series, as of now; ``upright`` with ``buckets``: a histogram."""

    query: str
    name: str
    buckets: bool = False
    color: str = PLAIN
    width: int = 8
    height: int = 8

    def panel(self) -> models.Panel:
        upright = options.VizOrientation.VERTICAL if self.buckets else options.VizOrientation.HORIZONTAL
        return (
            _common(bargauge.Panel(), self)
            .with_target(_query(self.query, self.name, "A", instant=True, buckets=self.buckets))
            .orientation(upright)
            .display_mode(options.BarGaugeDisplayMode.BASIC)
            .value_mode(options.BarGaugeValueMode.TEXT)
            .show_unfilled(False)  # noqa: FBT003
            .reduce_options(common.ReduceDataOptions().calcs(["last"]).values(False))  # noqa: FBT003
            .min(0)
            .decimals(0)
            .thresholds(_thresholds(((None, self.color),)))
            .color_scheme(_by(models.FieldColorModeId.THRESHOLDS))
            .no_value("nothing yet")
            .build()
        )


@dataclass(frozen=True, kw_only=True)
class Heat(Part):
    """A histogram over time: the more, the brighter. ``unit``: of the buckets."""

    query: str
    fastest: str | None = None
    width: int = 12
    height: int = 8

    def panel(self) -> models.Panel:
        built = (
            _common(heatmap.Panel(), self)
            .with_target(_query(self.query, "{{le}}", "A", buckets=True))
            .calculate(False)  # noqa: FBT003 - its buckets are made
            .color(
                heatmap.HeatmapColorOptions()
                .mode(heatmaps.HeatmapColorMode.SCHEME)
                .scheme("Blues")
                .steps(32)
                .scale(heatmaps.HeatmapColorScale.EXPONENTIAL)
                .exponent(0.5)
            )
            .rows_frame(heatmap.RowsHeatmapOptions().layout(options.HeatmapCellLayout.LE))
            .y_axis(heatmap.YAxisConfig().unit(self.unit).axis_placement(options.AxisPlacement.LEFT))
            .cell_gap(1)
            .show_tooltip()
            .show_legend()
        )
        if self.fastest is not None:
            built.interval(self.fastest)
        return built.build()


def _common(panel: _Panel, part: Part) -> _Panel:
    return (
        panel.title(part.title)
        .description(part.say)
        .datasource(SOURCE)
        .unit(part.unit)
        .span(part.width)
        .height(part.height)
    )


def _query(
    query: str, name: str, ref: str, *, instant: bool = False, buckets: bool = False
) -> prometheus.Dataquery:
    asked = prometheus.Dataquery().expr(query).legend_format(name).ref_id(ref).datasource(SOURCE)
    asked.format(PromQueryFormat.HEATMAP if buckets else PromQueryFormat.TIME_SERIES)
    return asked.instant() if instant else asked.range()


def _ref(number: int) -> str:
    return "ABCDEFGHIJ"[number]


def _thresholds(steps: Steps) -> dashboard.ThresholdsConfig:
    return (
        dashboard.ThresholdsConfig()
        .mode(models.ThresholdsMode.ABSOLUTE)
        .steps([models.Threshold(value, color) for value, color in steps])
    )


def _fixed(color: str) -> models.DynamicConfigValue:
    return models.DynamicConfigValue("color", {"mode": "fixed", "fixedColor": color})


def _by(mode: models.FieldColorModeId) -> dashboard.FieldColor:
    return dashboard.FieldColor().mode(mode)
