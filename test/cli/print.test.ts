/** The progress of a download as a line on a terminal, also of one that another node makes. */
import assert from 'node:assert/strict';
import { formatLeft, ProgressBar, progressLine, sourceOf } from '@peerage/core/cli/print.js';

describe('a line of progress', () => {
  const half = { receivedBytes: 5_000_000, totalBytes: 10_000_000, bytesPerSecond: 2_000_000 };

  it('shows the share, the rate, whose download it is and what is left', () => {
    const download = { source: 'peer', from: 'beta', follows: 'gamma', leftMs: 2400 } as const;
    assert.equal(
      progressLine('file', { ...half, download }),
      `file  [${'#'.repeat(15)}${' '.repeat(15)}] 50 %  5.0 MB  2.0 MB/s  ` +
        "gamma's download by beta, 3 s left",
    );
  });

  it('leaves out what is not known', () => {
    const unknown = { receivedBytes: 5, totalBytes: undefined, bytesPerSecond: 0 };
    assert.equal(progressLine('file', unknown), 'file  5 B  0 B/s');
    assert.equal(progressLine('file', { ...unknown, totalBytes: 0 }), 'file  5 B  0 B/s');
  });

  it('names a source in words', () => {
    const of = (source: 'peer' | 'origin', from: string, follows?: string) =>
      sourceOf({ source, from, follows });
    assert.equal(of('origin', 'a.example'), 'origin a.example');
    assert.equal(of('peer', 'beta'), 'peer beta');
    assert.equal(of('peer', 'beta', 'beta'), "beta's download");
    assert.deepEqual([1, 119_000, 120_001].map(formatLeft), ['1 s', '119 s', '3 min']);
  });

  it('is drawn on a terminal only, and wiped away in the end', () => {
    const written: string[] = [];
    const screen = { isTTY: true, write: (text: string) => written.push(text) };
    const bar = new ProgressBar('file', screen);
    bar.totalBytes = 10;
    bar.update(5);
    bar.update(6);
    bar.end();
    assert.equal(written.length, 2, 'not drawn for every chunk');
    assert.match(written[0] ?? '', /^\rfile {2}\[#{15} {15}\] 50 % {2}5 B/);
    assert.equal(written[1], '\r\u001b[K');
    const silent = new ProgressBar('file', { ...screen, isTTY: false });
    silent.update(5);
    silent.end();
    assert.equal(written.length, 2);
  });
});
