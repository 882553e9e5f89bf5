/**
 * From the files of an archive to the one file of rules that Suricata loads. Pure.
 *
 * The files are taken in the order of their names, each under a line that names it, so that what
 * Suricata refuses by its line is found again in the archive.
 */
import { type ArchiveFile, damaged } from './archive.js';

export interface RuleFile {
  readonly text: string;
  /** Rules that are switched on. */
  readonly rules: number;
}

const RULE = /^(?:alert|drop|pass|reject|rejectsrc|rejectdst|rejectboth|config) /;

/** @throws CodedError `E_RULES_INVALID` */
export function joinRules(
  source: string,
  files: readonly ArchiveFile[],
  minRules: number,
): RuleFile {
  const named = files.filter(({ name }) => name.endsWith('.rules'));
  let rules = 0;
  const parts = [...named].sort(byName).map(({ name, bytes }) => {
    const text = decode(source, name, bytes);
    rules += text.split('\n').filter((line) => RULE.test(line)).length;
    return `# ${source}: ${name}\n${text.endsWith('\n') || text === '' ? text : `${text}\n`}`;
  });
  if (rules >= minRules) return { text: parts.join(''), rules };
  throw damaged(
    source,
    `it has ${rules} rules in ${named.length} files, at least ${minRules} expected`,
  );
}

/** The place in the archive of a line of the joined file. */
export function placeOf(text: string, line: number): string | undefined {
  const lines = text.split('\n').slice(0, line);
  const at = lines.findLastIndex((one) => /^# \S+: \S+\.rules$/.test(one));
  const head = lines[at];
  return head === undefined ? undefined : `${head.slice(2)}, line ${line - at - 1}`;
}

function byName(a: ArchiveFile, b: ArchiveFile): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}

function decode(source: string, name: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw damaged(source, `${name} is not text in UTF-8`, cause);
  }
}
