// Sets gridPos and ids in one pass. (grafonnet's makeGrid is exponential on the C++ evaluator.)
//
// rows: [{ title, collapsed, panels: [[panel, width, height], ...] }, ...]
// A row's panels flow from left to right and wrap at the edge; a line is as high as its highest panel.
local width = 24;

local fits(panel, w) =
  if w >= 1 && w <= width then w
  else error "layout: panel '%s' is %d wide, the grid has %d columns" % [panel.title, w, width];

local place(cursor, cell) =
  local panel = cell[0], w = fits(cell[0], cell[1]), h = cell[2];
  local wraps = cursor.x + w > width;
  local x = if wraps then 0 else cursor.x;
  local y = if wraps then cursor.y + cursor.line else cursor.y;
  {
    x: x + w,
    y: y,
    line: if wraps then h else std.max(cursor.line, h),
    id: cursor.id + 1,
    panels: cursor.panels + [panel { id: cursor.id, gridPos: { x: x, y: y, w: w, h: h } }],
  };

local placeRow(cursor, row) =
  local collapsed = std.get(row, 'collapsed', false);
  local inside = std.foldl(
    place,
    row.panels,
    { x: 0, y: cursor.y + 1, line: 0, id: cursor.id + 1, panels: [] },
  );
  local header = {
    type: 'row',
    title: row.title,
    id: cursor.id,
    collapsed: collapsed,
    gridPos: { x: 0, y: cursor.y, w: width, h: 1 },
    panels: if collapsed then inside.panels else [],
  };
  {
    y: if collapsed then cursor.y + 1 else inside.y + inside.line,
    id: inside.id,
    panels: cursor.panels + [header] + (if collapsed then [] else inside.panels),
  };

{
  rows(rows): std.foldl(placeRow, rows, { y: 0, id: 1, panels: [] }).panels,
}
