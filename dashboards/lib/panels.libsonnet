// A thin layer over grafonnet in which title, description and unit are mandatory: a panel without one does not evaluate.
//
// text: { title, description } in the language of the dashboard. options: what the panel kind offers beyond its targets.
local g = import '../../g.libsonnet';

// Looked up once: grafonnet's objects are large, and every look-up makes one anew.
local timeSeries = g.panel.timeSeries;
local stat = g.panel.stat;
local barGauge = g.panel.barGauge;
local stateTimeline = g.panel.stateTimeline;
local table = g.panel.table;

local datasource = { type: 'prometheus', uid: '${datasource}' };

local mandatory(value, what) =
  if value == null || value == '' then error 'panels: every panel needs a %s' % what else value;

local numbered(targets) = std.mapWithIndex(
  function(i, target)
    { datasource: datasource, editorMode: 'code', refId: std.char(std.codepoint('A') + i) } + target,
  targets,
);

local base(kind, text, unit, targets) =
  local title = mandatory(std.get(text, 'title'), 'title');
  if std.length(targets) == 0 then error "panels: '%s' has no query" % title
  else
    kind.new(title)
    + kind.panelOptions.withDescription(mandatory(std.get(text, 'description'), "description ('%s' has none)" % title))
    + kind.standardOptions.withUnit(mandatory(unit, "unit ('%s' has none)" % title))
    + kind.queryOptions.withTargets(numbered(targets))
    + { datasource: datasource };

local optional(options, key, with) =
  local value = std.get(options, key);
  if value == null then {} else with(value);

// steps: [[from, colour], ...], the first from null.
local thresholds(kind, steps) =
  kind.standardOptions.thresholds.withMode('absolute')
  + kind.standardOptions.thresholds.withSteps([{ value: step[0], color: step[1] } for step in steps]);

// values: [[value, text, colour], ...]
local mappings(values) = [{
  type: 'value',
  options: {
    [std.toString(values[i][0])]: { text: values[i][1], color: values[i][2], index: i }
    for i in std.range(0, std.length(values) - 1)
  },
}];

local common(kind, options) =
  optional(options, 'steps', function(steps) thresholds(kind, steps))
  + optional(options, 'mappings', function(values) kind.standardOptions.withMappings(mappings(values)))
  + optional(options, 'min', kind.standardOptions.withMin)
  + optional(options, 'max', kind.standardOptions.withMax)
  + optional(options, 'decimals', kind.standardOptions.withDecimals)
  + optional(options, 'noValue', kind.standardOptions.withNoValue)
  + optional(options, 'links', kind.standardOptions.withLinks)
  + optional(options, 'overrides', kind.standardOptions.withOverrides);

// A field override: what it matches, and its properties as an object.
local override(matcher, value, properties) = {
  matcher: { id: matcher, options: value },
  properties: [{ id: id, value: properties[id] } for id in std.objectFields(properties)],
};

{
  // Lines over time. options.stack piles them up; options.lines draws the steps as lines.
  timeseries(text, unit, targets, options={}):
    local kind = timeSeries;
    local custom = kind.fieldConfig.defaults.custom;
    base(kind, text, unit, targets)
    + kind.standardOptions.color.withMode('palette-classic')
    + common(kind, { min: 0 } + options)
    + custom.withLineWidth(1)
    + custom.withFillOpacity(if std.get(options, 'stack', false) then 40 else 8)
    + custom.withShowPoints('never')
    + custom.withSpanNulls(false)
    + custom.withStacking({ mode: if std.get(options, 'stack', false) then 'normal' else 'none', group: 'A' })
    + custom.withThresholdsStyle({ mode: if std.get(options, 'lines', false) then 'dashed' else 'off' })
    + kind.options.legend.withDisplayMode('table')
    + kind.options.legend.withPlacement(std.get(options, 'legend', 'bottom'))
    + kind.options.legend.withShowLegend(true)
    + kind.options.legend.withCalcs(['lastNotNull', 'max'])
    + kind.options.legend.withSortBy('Last *')
    + kind.options.legend.withSortDesc(true)
    + kind.options.tooltip.withMode('multi')
    + kind.options.tooltip.withSort('desc'),

  // One number. options.spark draws its history behind it; options.field shows a label instead of the value.
  stat(text, unit, targets, options={}):
    local kind = stat;
    base(kind, text, unit, targets)
    + kind.standardOptions.color.withMode('thresholds')
    + common(kind, { steps: [[null, 'blue']] } + options)
    + kind.options.withColorMode(std.get(options, 'color', 'value'))
    + kind.options.withGraphMode(if std.get(options, 'spark', false) then 'area' else 'none')
    + kind.options.withTextMode(if std.objectHas(options, 'field') then 'name' else 'auto')
    + kind.options.withJustifyMode('center')
    + kind.options.withWideLayout(true)
    + kind.options.reduceOptions.withCalcs(['lastNotNull'])
    + kind.options.reduceOptions.withFields('')
    + kind.options.reduceOptions.withValues(false),

  // A bar per series, coloured by steps.
  bars(text, unit, targets, options={}):
    local kind = barGauge;
    base(kind, text, unit, targets)
    + kind.standardOptions.color.withMode('thresholds')
    + common(kind, { min: 0 } + options)
    + kind.options.withDisplayMode('lcd')
    + kind.options.withOrientation('horizontal')
    + kind.options.withShowUnfilled(true)
    + kind.options.withValueMode('color')
    + kind.options.reduceOptions.withCalcs(['lastNotNull'])
    + kind.options.reduceOptions.withFields('')
    + kind.options.reduceOptions.withValues(false),

  // A band per series that changes colour with its state; needs options.mappings.
  timeline(text, unit, targets, options):
    local kind = stateTimeline;
    base(kind, text, unit, targets)
    + kind.standardOptions.color.withMode('thresholds')
    + common(kind, options)
    + kind.fieldConfig.defaults.custom.withFillOpacity(75)
    + kind.fieldConfig.defaults.custom.withLineWidth(0)
    + kind.options.withMergeValues(true)
    + kind.options.withShowValue('auto')
    + kind.options.withAlignValue('left')
    + kind.options.withRowHeight(0.85)
    + kind.options.legend.withDisplayMode('list')
    + kind.options.legend.withPlacement('bottom')
    + kind.options.legend.withShowLegend(true)
    + kind.options.tooltip.withMode('single')
    + kind.options.tooltip.withSort('none'),

  // Instant queries merged into rows. columns: [[field, heading, properties], ...] in the order of display; other fields
  // are hidden. A query's value is the field 'Value #A', or 'Value' when it is the only one.
  table(text, unit, targets, columns, options={}):
    local kind = table;
    base(kind, text, unit, targets)
    + kind.standardOptions.color.withMode('thresholds')
    + common(kind, options {
      overrides: [
        override('byName', column[1], column[2])
        for column in columns
        if column[2] != {}
      ],
    })
    + kind.fieldConfig.defaults.custom.withAlign('auto')
    + kind.fieldConfig.defaults.custom.withFilterable(false)
    + kind.fieldConfig.defaults.custom.withCellOptions({ type: 'auto' })
    + kind.options.withShowHeader(true)
    + kind.options.withCellHeight('sm')
    + optional(options, 'sort', kind.options.withSortBy)
    + kind.queryOptions.withTransformations([
      { id: 'merge', options: {} },
      { id: 'filterFieldsByName', options: { include: { names: [column[0] for column in columns] } } },
      {
        id: 'organize',
        options: {
          excludeByName: {},
          indexByName: { [columns[i][0]]: i for i in std.range(0, std.length(columns) - 1) },
          renameByName: { [column[0]]: column[1] for column in columns },
        },
      },
    ]),

  // Properties of a series or column.
  override: override,
  steps(steps): { mode: 'absolute', steps: [{ value: step[0], color: step[1] } for step in steps] },
  mappings: mappings,
  dashed: { 'custom.lineStyle': { fill: 'dash', dash: [8, 6] }, 'custom.fillOpacity': 0, 'custom.lineWidth': 1 },
  coloured: { type: 'color-background', mode: 'basic' },
  barCell: { type: 'gauge', mode: 'basic', valueDisplayMode: 'text' },
}
