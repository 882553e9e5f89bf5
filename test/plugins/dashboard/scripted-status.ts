/** A node as a test scripts it: what the dashboard is shown, changed while it looks. */
import { type StatusRow, StatusService, type StatusView } from '@peerage/sdk';

const DIGEST = 'ab'.repeat(32);

export class ScriptedStatus extends StatusService {
  receivedBytes = 0;
  provider = 'anna';
  readonly asked: string[] = [];

  override async status(): Promise<Record<string, unknown>> {
    const counters = { 'bytes-from-origin': 4e6, 'bytes-from-peers': 9e6, 'bytes-from-store': 7e6 };
    const plugin = { id: 'url-cache', version: '1', restarts: 0, counters: {} };
    return {
      name: 'desk',
      group: 'office',
      version: '1',
      solo: false,
      warnings: [],
      transfer: { counters, storedBytes: 11e6 },
      plugins: [{ ...plugin, state: 'active' }],
    };
  }

  override async peers(): Promise<StatusRow[]> {
    const both = { internet: true, roles: 'both', heardMsAgo: 900 };
    return ['anna', 'bert'].map((name) => ({ ...both, name, kid: name, address: '10.0.0.1' }));
  }

  override async downloads(): Promise<StatusRow[]> {
    const { receivedBytes } = this;
    const url = 'http://a.example/<img src=x onerror=alert(1)>';
    const row = { url, service: 'url-cache', source: 'peer', from: 'anna', startedMsAgo: 1 };
    return [{ ...row, receivedBytes, totalBytes: 100, bytesPerSecond: 50 }];
  }

  override async look(view: StatusView, url?: string): Promise<StatusRow[]> {
    this.asked.push(`${view} ${url ?? ''}`);
    if (view === 'cache') {
      const entry = { variant: '*', sizeBytes: 5e6, sha256: DIGEST, fetchedBy: 'anna' };
      return [{ ...entry, url: 'http://a.example/kept', fetchedAt: '2030-01-01T00:00:00Z' }];
    }
    if (view === 'elections') {
      const change = { atMs: 1e12, provider: this.provider, epoch: 1, reason: 'the best score' };
      const backup = { node: 'bert', isSelf: false };
      const provider = { node: this.provider, isSelf: false };
      const state = { service: 'antivirus', provider, backup, reason: 'the best score' };
      return [{ ...state, changes: [change] }];
    }
    return [
      {
        id: 1,
        url: 'http://a.example/x',
        service: 'cli',
        askedAt: '2030-01-01T00:00:00Z',
        source: 'peer',
        answeredMs: 3,
        asked: ['everybody'],
        answers: [{ node: 'anna', answer: 'has-it', afterMs: 1.5 }],
        tried: [{ kind: 'peer', from: 'anna', result: 'ok' }],
        bytes: [{ from: 'anna', sizeBytes: 5e6 }],
        provenance: { fetchedBy: 'anna', fetchedAt: '2030', continued: [], sha256: DIGEST },
      },
    ];
  }
}
