/**
 * Tables and texts of the page. Everything shown is set as text, never as markup: URLs and names
 * come from others. Rows are kept by key, so that what is focused or read out stays where it is.
 */

/** Bytes as a person reads them. */
export function formatBytes(bytes) {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

export function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className !== undefined) made.className = className;
  return made;
}

/**
 * Shows rows in a table inside `place`.
 * @param columns each `{ title, show(row, cell), className? }`
 */
export function showTable(place, columns, rows, keyOf, empty) {
  if (rows.length === 0) {
    place.replaceChildren(element('p', empty, 'empty'));
    return;
  }
  const table = place.querySelector('table') ?? newTable(place, columns);
  const body = table.tBodies[0];
  const known = new Map([...body.rows].map((row) => [row.dataset.key, row]));
  const shown = rows.map((row) => {
    const key = String(keyOf(row));
    const line = known.get(key) ?? newRow(key, columns);
    columns.forEach((column, index) => {
      fill(line.cells[index], column, row);
    });
    return line;
  });
  const inPlace =
    shown.length === body.rows.length && shown.every((line, index) => body.rows[index] === line);
  if (!inPlace) body.replaceChildren(...shown);
}

function fill(cell, column, row) {
  cell.className = column.className?.(row) ?? '';
  const value = column.show(row, cell);
  if (value !== undefined && cell.textContent !== String(value)) cell.textContent = String(value);
}

function newTable(place, columns) {
  const table = element('table');
  const head = table.createTHead().insertRow();
  for (const { title } of columns) {
    const cell = element('th', title);
    cell.scope = 'col';
    head.append(cell);
  }
  table.createTBody();
  place.replaceChildren(table);
  return table;
}

function newRow(key, columns) {
  const row = element('tr');
  row.dataset.key = key;
  for (const _ of columns) row.insertCell();
  return row;
}

/** Pairs of a label and a text, as a list of definitions. */
export function showPairs(list, pairs) {
  list.replaceChildren(
    ...pairs.map(([label, text, className]) => {
      const pair = element('div');
      pair.append(element('dt', label), element('dd', text, className));
      return pair;
    }),
  );
}
