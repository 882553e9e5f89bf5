/** What the commands print for people: sizes, tables, a progress bar. */

import type { DownloadStatus } from '../ports/ports.js';

/** The line is drawn again at most this often. */
const REDRAW_MS = 100;

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

/** Time that is left, as a person reads it: `12 s`. */
export function formatLeft(leftMs: number | undefined): string {
  if (leftMs === undefined) return '';
  const seconds = Math.ceil(leftMs / 1000);
  return seconds < 120 ? `${seconds} s` : `${Math.ceil(seconds / 60)} min`;
}

/** Where a download's bytes come from, and whose download it really is. */
export function sourceOf(download: Pick<DownloadStatus, 'source' | 'from' | 'follows'>): string {
  const { source, from, follows } = download;
  if (follows === undefined) return `${source} ${from}`.trimEnd();
  return follows === from ? `${follows}'s download` : `${follows}'s download by ${from}`;
}

/** What is known of a download when its line is drawn. */
export interface Progress {
  readonly receivedBytes: number;
  readonly totalBytes: number | undefined;
  readonly bytesPerSecond: number;
  /** What the node says of it, if it said anything. */
  readonly download?: Pick<DownloadStatus, 'source' | 'from' | 'follows' | 'leftMs'> | undefined;
}

/** `file  [###   ] 10 %  1.0 MB  2.0 MB/s  beta's download, 3 s left` */
export function progressLine(label: string, progress: Progress): string {
  const { receivedBytes, totalBytes, bytesPerSecond, download } = progress;
  const share = totalBytes === undefined || totalBytes === 0 ? NaN : receivedBytes / totalBytes;
  const bar = `[${'#'.repeat(Math.floor(share * 30) || 0).padEnd(30)}] ${Math.floor(share * 100)} %`;
  const left = formatLeft(download?.leftMs);
  const from = download === undefined ? '' : sourceOf(download);
  const parts = [
    label,
    ...(Number.isNaN(share) ? [] : [bar]),
    formatBytes(receivedBytes),
    `${formatBytes(bytesPerSecond)}/s`,
    [from, left && `${left} left`].filter(Boolean).join(', '),
  ];
  return parts.filter(Boolean).join('  ');
}

/** Where a line can be drawn over itself: a terminal. */
export interface Screen {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

/** A line that is drawn over itself on a terminal; silent elsewhere. */
export class ProgressBar {
  private readonly label: string;
  private readonly screen: Screen;
  private readonly startedAt = Date.now();
  private receivedBytes = 0;
  private drawnAt = 0;
  /** What the node says of the download: it knows more than who only reads its bytes. */
  download: DownloadStatus | undefined;
  totalBytes: number | undefined;

  constructor(label: string, screen: Screen = process.stderr) {
    this.label = label;
    this.screen = screen;
  }

  get visible(): boolean {
    return this.screen.isTTY === true;
  }

  update(receivedBytes: number): void {
    this.receivedBytes = receivedBytes;
    if (Date.now() - this.drawnAt >= REDRAW_MS) this.draw();
  }

  draw(): void {
    if (!this.visible) return;
    this.drawnAt = Date.now();
    const { download, startedAt } = this;
    const receivedBytes = Math.max(this.receivedBytes, download?.receivedBytes ?? 0);
    const totalBytes = this.totalBytes ?? download?.totalBytes;
    const measured = (receivedBytes * 1000) / Math.max(1, this.drawnAt - startedAt);
    const bytesPerSecond = download?.bytesPerSecond ?? measured;
    const line = progressLine(this.label, { receivedBytes, totalBytes, bytesPerSecond, download });
    this.screen.write(`\r${line} \u001b[K`);
  }

  end(): void {
    if (this.visible) this.screen.write('\r\u001b[K');
  }
}
