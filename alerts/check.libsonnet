// The configuration itself when it is sound; else an error with one sentence for each problem, naming the field.
local catalog = import '../exporter/asynq_exporter/core/catalog.json';
local severities = ['info', 'warning', 'critical'];
local units = ['s', 'm', 'h', 'd', 'w'];

local isCount(value) = std.isNumber(value) && value >= 0;
local isPositive(value) = std.isNumber(value) && value > 0;
local isRatio(value) = std.isNumber(value) && value > 0 && value < 1;
local isText(value) = std.isString(value) && value != '';
local isSeverity(value) = std.member(severities, value);
local isDuration(value) =
  std.isString(value) && std.length(value) > 1 &&
  std.member(units, value[std.length(value) - 1]) &&
  std.foldl(
    function(good, char) good && std.member('0123456789', char),
    std.stringChars(value[0:std.length(value) - 1]),
    true
  );
local isTextList(value) =
  std.isArray(value) && std.foldl(function(good, item) good && isText(item), value, true);

local expected = {
  threshold: [isCount, 'a number of 0 or more'],
  minimum: [isCount, 'a number of 0 or more'],
  capacity: [isPositive, 'a number above 0'],
  weight: [isPositive, 'a number above 0'],
  factor: [isPositive, 'a number above 0'],
  cap: [isPositive, 'a number above 0'],
  ratio: [isRatio, 'a number between 0 and 1'],
  objective: [isRatio, 'a number between 0 and 1'],
  severity: [isSeverity, 'one of ' + std.join(', ', severities)],
  enabled: [std.isBoolean, 'true or false'],
  duration: [isDuration, 'a duration such as 5m'],
  text: [isText, 'a text that is not empty'],
  list: [isTextList, 'a list of texts'],
};

// Nothing when the value is of its kind, else one sentence.
local kind(name, path, value) =
  local rule = expected[name];
  if rule[0](value) then []
  else ['%s must be %s, not %s' % [path, rule[1], std.manifestJsonEx(value, '')]];

// The object's fields one by one; a thing that is no object is the only problem to report.
local each(path, value, check) =
  if std.isObject(value)
  then std.flatMap(function(field) check(field, '%s.%s' % [path, field], value[field]), std.objectFields(value))
  else ['%s must be an object, not %s' % [path, std.manifestJsonEx(value, '')]];

local ladder(path, value) = each(
  path,
  value,
  function(level, at, number)
    if isSeverity(level) then kind('threshold', at, number)
    else ['%s: there is no level %s; use %s' % [at, level, std.join(', ', severities)]]
);

local climbs(path, value) =
  local numbers = [value[level] for level in severities if std.objectHas(value, level)];
  if [i for i in std.range(0, std.length(numbers) - 2) if !(numbers[i] < numbers[i + 1])] == [] then []
  else [path + ' must climb from info to critical'];

// Only a ladder of sound numbers can be asked whether it climbs.
local climbingLadder(path, value) =
  local problems = ladder(path, value);
  if problems == [] then climbs(path, value) else problems;

local noSuch(path, what, known) = ['%s: there is no such %s; known are %s' % [path, what, std.join(', ', known)]];

local queueChecks = {
  weight(path, value):: kind('weight', path, value),
  capacity(path, value):: kind('capacity', path, value),
  thresholds(path, value):: each(
    path,
    value,
    function(state, at, steps)
      if std.member(['pending', 'archived'], state) then climbingLadder(at, steps)
      else noSuch(at, 'state with thresholds', ['pending', 'archived'])
  ),
  purpose(path, value):: [],
  response(path, value):: [],
};

local queue(name, path, value) =
  if std.isObject(value) && !std.objectHas(catalog.queues, name) &&
     !(std.objectHas(value, 'weight') && std.objectHas(value, 'capacity') && std.objectHas(value, 'thresholds'))
  then ['%s is not a documented queue; a queue of your own needs weight, capacity and thresholds' % path]
  else each(path, value, function(field, at, content)
    if std.objectHasAll(queueChecks, field) then queueChecks[field](at, content)
    else noSuch(at, 'field of a queue', std.objectFieldsAll(queueChecks)));

local alertChecks(config) = {
  threshold(path, value):: kind('threshold', path, value),
  minimum(path, value):: kind('minimum', path, value),
  ratio(path, value):: kind('ratio', path, value),
  severity(path, value):: kind('severity', path, value),
  enabled(path, value):: kind('enabled', path, value),
  'for'(path, value):: kind('duration', path, value),
  keep_firing_for(path, value):: kind('duration', path, value),
  window(path, value):: kind('duration', path, value),
  levels(path, value):: climbingLadder(path, value),
  other(path, value):: climbingLadder(path, value),
  queues(path, value):: each(
    path,
    value,
    function(name, at, steps)
      if std.objectHas(config.queues, name) then climbingLadder(at, steps)
      else noSuch(at, 'queue', std.objectFields(config.queues))
  ),
};

local alert(config, name, path, value) =
  if !std.objectHas(catalog.alerts, name) then noSuch(path, 'alert', std.objectFields(catalog.alerts))
  else
    local checks = alertChecks(config);
    each(path, value, function(field, at, content)
      if std.objectHasAll(checks, field) then checks[field](at, content)
      else noSuch(at, 'field of an alert', std.objectFieldsAll(checks)));

local burnRow(path, row) =
  local fields = { long: 'duration', short: 'duration', 'for': 'duration', factor: 'factor', severity: 'severity' };
  if !std.isObject(row) then ['%s must be an object, not %s' % [path, std.manifestJsonEx(row, '')]]
  else std.flatMap(
    function(field)
      if std.objectHas(row, field) then kind(fields[field], '%s.%s' % [path, field], row[field])
      else ['%s.%s is missing' % [path, field]],
    std.objectFields(fields)
  );

local slo(path, value) =
  if !std.isObject(value) then ['%s must be an object, not %s' % [path, std.manifestJsonEx(value, '')]]
  else kind('objective', path + '.objective', value.objective) + (
    if !std.isArray(value.burn) then ['%s.burn must be a list, not %s' % [path, std.manifestJsonEx(value.burn, '')]]
    else std.flattenArrays(std.mapWithIndex(function(i, row) burnRow('%s.burn[%d]' % [path, i], row), value.burn))
  );

local problems(config) =
  each('_config.queues', config.queues, function(name, path, value) queue(name, path, value)) +
  each('_config.backpressure', config.backpressure, function(name, path, value) kind('ratio', path, value)) +
  each(
    '_config.alerts',
    config.alerts,
    function(name, path, value) alert(config, name, path, value)
  ) +
  kind('cap', '_config.archive.cap', config.archive.cap) +
  slo('_config.slo', config.slo) +
  std.flatMap(
    function(field) kind('text', '_config.' + field, config[field]),
    ['asynqSelector', 'service', 'runbookUrl', 'grafanaUrl']
  ) +
  std.flatMap(
    function(field) kind('duration', '_config.' + field, config[field]),
    ['scrapeInterval', 'scrapeTimeout']
  ) +
  kind('list', '_config.clusters', config.clusters) +
  each('_config.uids', config.uids, function(name, path, value) kind('text', path, value));

function(config)
  local found = problems(config);
  if found == [] then config else error std.join('\n', found)
