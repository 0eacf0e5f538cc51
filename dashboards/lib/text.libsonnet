// Texts of one language, from the two-language sources in texts/.
//
// A leaf is { en, zh }; a panel is { title, what, normal, act }, all of them leaves, and becomes { title, description }.
local labels = {
  en: { normal: 'Normal', act: 'If not', colon: ': ' },
  zh: { normal: '正常', act: '处理', colon: '：' },
};

local fields(value) = std.set(std.objectFields(value));
local isLeaf(value) = fields(value) == ['en', 'zh'];
local isPanel(value) = fields(value) == ['act', 'normal', 'title', 'what'];

function(language)
  local label = labels[language];
  local localise(value) =
    if !std.isObject(value) then error 'texts: neither { en, zh } nor a group of them: %s' % std.toString(value)
    else if isLeaf(value) then value[language]
    else if isPanel(value) then {
      title: value.title[language],
      description: std.join('\n\n', [
        value.what[language],
        '**' + label.normal + '**' + label.colon + value.normal[language],
        '**' + label.act + '**' + label.colon + value.act[language],
      ]),
    }
    else { [key]: localise(value[key]) for key in std.objectFields(value) };
  if std.objectHas(labels, language) then localise
  else error "dashboardLanguage is '%s'; there are: %s" % [language, std.join(', ', std.objectFields(labels))]
