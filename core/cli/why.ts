/**
 * `peerage why [URL]`: for every request remembered who asked, who answered in how many ms, which
 * sources were tried and why they did not do, where the bytes came from, and who signed for them.
 */
import type { TriedSource, WhyRecord } from '../ports/why.js';
import { ask } from './client.js';
import type { CommandLine } from './options.js';
import { print } from './output.js';
import { formatBytes } from './print.js';

const INTERNET: Readonly<Record<NonNullable<WhyRecord['internet']>, string>> = {
  alone: 'no other machine of the group is there',
  'nobody-answered': 'no other machine answered that it has it',
  'all-said-none': 'the machines that were asked said that they do not have it',
  'sources-failed': 'every machine that had it failed',
  'role-server': 'this node only serves (core.roles)',
  unshared:
    'it is for one client alone, or http: that nobody could verify (https:, --sha256 or clientVerifies share it)',
  'too-many-searches': 'too many searches were in progress',
  'taken-over': 'the machine that was downloading it is gone: this one went on',
};

const SAID = {
  'has-it': 'has it',
  none: 'does not have it',
  downloading: 'is downloading it',
  'gave-up': 'gave up',
} as const;

/** @returns 0, or 1 if nothing is remembered */
export async function why(line: CommandLine, given: string | undefined): Promise<number> {
  const url = given === undefined ? undefined : normal(given);
  const query = url === undefined ? '' : `?url=${encodeURIComponent(url)}`;
  const records = (await ask(line.stateDirectory, 'GET', `/why${query}`)) as WhyRecord[];
  const nothing = 'nothing is remembered of it: nobody asked this node for it since it started';
  const text = records.map((record) => describeRecord(record)).join('\n\n');
  print(line, records, records.length === 0 ? nothing : text);
  return records.length === 0 ? 1 : 0;
}

/** The URL as the node writes it; as given if it is none. */
function normal(text: string): string {
  try {
    const url = new URL(text);
    url.hash = '';
    return url.href;
  } catch {
    return text;
  }
}

/** One record as lines for a person. */
export function describeRecord(record: WhyRecord): string {
  const { url, provenance, joined, error } = record;
  const rows: Array<readonly [label: string, text: string]> = [
    ['asked by', `${record.service}, ${record.askedAt}, request ${record.id}`],
    ['answered', answered(record)],
  ];
  if (joined !== undefined) rows.push(['shared', `the download of request ${joined}`]);
  if (record.asked.length > 0) rows.push(['LAN asked', record.asked.join(', ')]);
  for (const { node, answer, afterMs } of record.answers) {
    rows.push(['', `${node} ${SAID[answer]}, after ${afterMs} ms`]);
  }
  for (const tried of record.tried) rows.push(['tried', describeTried(tried)]);
  const { internet } = record;
  if (record.tried.length > 0) {
    rows.push(['Internet', internet === undefined ? 'not used' : `used: ${INTERNET[internet]}`]);
  }
  for (const { from, sizeBytes } of record.bytes) {
    rows.push(['bytes', `${formatBytes(sizeBytes)} from ${from}`]);
  }
  if (provenance !== undefined) {
    const { fetchedBy, fetchedAt, continued, sha256 } = provenance;
    const after = continued.length === 0 ? '' : `, who went on after ${continued.join(', ')}`;
    rows.push(['fetched', `by ${fetchedBy}${after}, ${fetchedAt}, who signed for ${sha256}`]);
  }
  if (error !== undefined) rows.push(['failed', `${error.message} [${error.code}]`]);
  return [url, ...rows.map(([label, text]) => `  ${label.padEnd(10)}${text}`)].join('\n');
}

function answered({ source, answeredMs, completeMs }: WhyRecord): string {
  if (source === undefined) return 'not yet';
  const after = answeredMs === undefined ? '' : ` after ${answeredMs} ms`;
  const whole = completeMs === undefined ? '' : `, complete after ${completeMs} ms`;
  return `${source}${after}${whole}`;
}

function describeTried({ kind, from, result, why: reason }: TriedSource): string {
  const what = { peer: 'the copy of', flight: 'the download of', origin: 'the Internet,' }[kind];
  return `${what} ${from}: ${result ?? 'goes on'}${reason === undefined ? '' : ` (${reason})`}`;
}
