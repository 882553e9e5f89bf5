/**
 * What the elections keep on disk: epochs, the admin's rules by command, the bandwidth seen. A file
 * that is damaged is as good as none: epochs are learnt again from the others.
 */

/** What the admin said of one service by command. */
export interface SavedRules {
  readonly pinned?: string;
  readonly excluded: readonly string[];
}

export interface SavedElections {
  readonly epochs: Record<string, number>;
  readonly rules: Record<string, SavedRules>;
  /** Bandwidth of past downloads, bytes per second. */
  bytesPerSecond: number;
}

/** Reads the file's text; never throws. */
export function readElections(text: string): SavedElections {
  const epochs: Record<string, number> = {};
  const rules: Record<string, SavedRules> = {};
  const saved = parse(text);
  for (const [service, epoch] of entriesOf(saved['epochs'])) {
    if (Number.isSafeInteger(epoch) && Number(epoch) >= 0) epochs[service] = Number(epoch);
  }
  for (const [service, rule] of entriesOf(saved['rules'])) {
    const { pinned, excluded } = Object.fromEntries(entriesOf(rule));
    const names = Array.isArray(excluded)
      ? excluded.filter((name) => typeof name === 'string')
      : [];
    rules[service] = { ...(typeof pinned === 'string' ? { pinned } : {}), excluded: names };
  }
  const pace = Number(saved['bytesPerSecond']);
  return { epochs, rules, bytesPerSecond: pace > 0 && Number.isFinite(pace) ? pace : 0 };
}

function parse(text: string): Record<string, unknown> {
  try {
    return Object.fromEntries(entriesOf(JSON.parse(text)));
  } catch {
    return {};
  }
}

function entriesOf(value: unknown): Array<[string, unknown]> {
  return typeof value === 'object' && value !== null ? Object.entries(value) : [];
}
