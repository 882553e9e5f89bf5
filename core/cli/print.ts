/** What the commands print for people: sizes, tables, a progress bar. */

/** Bytes as a person reads them: `1.4 MB`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

/** Rows under their headings, columns aligned. */
export function formatTable(
  headings: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const all = [headings, ...rows];
  const widths = headings.map((_, column) =>
    Math.max(...all.map((row) => (row[column] ?? '').length)),
  );
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  return all.map(line).join('\n');
}

/** A line that is drawn over itself on a terminal; silent elsewhere. */
export class ProgressBar {
  private readonly label: string;
  private readonly totalBytes: number | undefined;
  private readonly startedAt = Date.now();
  private drawnAt = 0;

  constructor(label: string, totalBytes: number | undefined) {
    this.label = label;
    this.totalBytes = totalBytes;
  }

  update(bytes: number): void {
    const now = Date.now();
    if (!process.stderr.isTTY || now - this.drawnAt < 100) return;
    this.drawnAt = now;
    const rate = (bytes * 1000) / Math.max(1, now - this.startedAt);
    const share =
      this.totalBytes === undefined || this.totalBytes === 0 ? undefined : bytes / this.totalBytes;
    const bar =
      share === undefined
        ? ''
        : `[${'#'.repeat(Math.floor(share * 30)).padEnd(30)}] ${Math.floor(share * 100)} %  `;
    process.stderr.write(
      `\r${this.label}  ${bar}${formatBytes(bytes)}  ${formatBytes(rate)}/s \u001b[K`,
    );
  }

  end(): void {
    if (process.stderr.isTTY) process.stderr.write('\r\u001b[K');
  }
}
