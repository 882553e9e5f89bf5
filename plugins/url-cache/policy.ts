/**
 * Policy: what is known about a resource that HTTP does not say.
 *
 * Flow: a request's URL and headers in, the `ResourcePolicy` for the core out. Three sources, in
 * the order of the code: the rules (those shipped, then the admin's, a later one wins field by
 * field), digests that the request names (in a by-hash URL, in npm's `pacote-integrity` header),
 * and credentials. Invariants: whatever comes with credentials is never shared; a digest is only
 * taken if it is unambiguous and of the right length.
 */
import { readFile } from 'node:fs/promises';
import { CodedError, type KnownDigest, type ResourcePolicy } from '@peerage/sdk';
import { MAX_INTEGRITY_HASHES, MAX_PATTERN_CHARACTERS, MAX_RULES } from './limits.js';
import { Wildcard } from './match.js';

export type DigestAlgorithm = KnownDigest['algorithm'];

/** One rule: where it applies, and what it says. */
export interface Rule {
  /** Pattern of the whole URL, query included. */
  readonly match: string;
  /** Pattern of the `User-Agent`; any if absent. */
  readonly userAgent?: string;
  readonly immutable?: boolean;
  readonly clientVerifies?: boolean;
  /** The URL's last segment is this digest of the content, after a `:` if there is one. */
  readonly digestFromUrl?: DigestAlgorithm;
}

/** Request headers, lower-case names. */
export type RequestHeaders = Readonly<Record<string, string>>;

/** The header in which npm says what it expects; for us alone, never sent to an origin. */
export const INTEGRITY_HEADER = 'pacote-integrity';

const HEX_DIGITS: Readonly<Record<DigestAlgorithm, number>> = {
  md5: 32,
  sha1: 40,
  sha256: 64,
  sha512: 128,
};

/** Strongest last. */
const BY_STRENGTH: readonly DigestAlgorithm[] = ['md5', 'sha1', 'sha256', 'sha512'];

interface CompiledRule {
  readonly rule: Rule;
  readonly url: Wildcard;
  readonly userAgent: Wildcard | undefined;
}

/** Reads the rules that the plugin ships. */
export async function shippedRules(): Promise<readonly Rule[]> {
  const text = await readFile(new URL('../rules/immutable.json', import.meta.url), 'utf8');
  return JSON.parse(text) as readonly Rule[];
}

/** All rules, ready to be asked. */
export class PolicyBook {
  private readonly rules: readonly CompiledRule[];

  constructor(rules: readonly Rule[]) {
    if (rules.length > MAX_RULES) {
      throw new CodedError('E_RULE_INVALID', `there are ${rules.length} rules`, {
        expected: `at most ${MAX_RULES}, those shipped included`,
        action: 'shorten "rules" in the settings of url-cache',
      });
    }
    this.rules = rules.map(compile);
  }

  policyFor(url: URL, headers: RequestHeaders): ResourcePolicy {
    const said: { -readonly [Key in keyof Rule]?: Rule[Key] } = {};
    const agent = headers['user-agent'] ?? '';
    for (const { rule, url: pattern, userAgent } of this.rules) {
      if (!pattern.matches(url.href)) continue;
      if (userAgent !== undefined && !userAgent.matches(agent)) continue;
      Object.assign(said, rule);
    }
    const digest = strongest([
      ...(said.digestFromUrl === undefined ? [] : digestOfUrl(url, said.digestFromUrl)),
      ...digestsOfIntegrity(headers[INTEGRITY_HEADER] ?? ''),
    ]);
    return {
      ...(said.immutable === true ? { immutable: true } : {}),
      ...(said.clientVerifies === true ? { clientVerifies: true } : {}),
      ...(digest === undefined ? {} : { digest }),
      ...(carriesCredentials(headers) ? { unshared: true } : {}),
    };
  }
}

function compile(rule: Rule): CompiledRule {
  for (const pattern of [rule.match, rule.userAgent ?? '']) {
    if (pattern.length <= MAX_PATTERN_CHARACTERS) continue;
    throw new CodedError('E_RULE_INVALID', `a pattern is ${pattern.length} characters long`, {
      expected: `at most ${MAX_PATTERN_CHARACTERS} characters`,
      action: 'shorten "match" or "userAgent" in the rules of url-cache',
    });
  }
  return {
    rule,
    url: new Wildcard(rule.match),
    userAgent: rule.userAgent === undefined ? undefined : new Wildcard(rule.userAgent),
  };
}

function carriesCredentials(headers: RequestHeaders): boolean {
  return headers['authorization'] !== undefined || headers['cookie'] !== undefined;
}

function digestOfUrl(url: URL, algorithm: DigestAlgorithm): KnownDigest[] {
  const segment = url.pathname.slice(url.pathname.lastIndexOf('/') + 1);
  const hex = segment.slice(segment.lastIndexOf(':') + 1).toLowerCase();
  return isDigest(algorithm, hex) ? [{ algorithm, hex }] : [];
}

/** The hashes of a subresource integrity list: `sha512-<base64>?options`, separated by blanks. */
function digestsOfIntegrity(list: string): KnownDigest[] {
  const digests: KnownDigest[] = [];
  for (const hash of list.split(/\s+/, MAX_INTEGRITY_HASHES)) {
    const dash = hash.indexOf('-');
    const algorithm = BY_STRENGTH.find((name) => name === hash.slice(0, dash).toLowerCase());
    if (algorithm === undefined) continue;
    const [base64 = ''] = hash.slice(dash + 1).split('?', 1);
    const hex = Buffer.from(base64, 'base64').toString('hex');
    if (isDigest(algorithm, hex)) digests.push({ algorithm, hex });
  }
  return digests;
}

function isDigest(algorithm: DigestAlgorithm, hex: string): boolean {
  return hex.length === HEX_DIGITS[algorithm] && /^[0-9a-f]+$/.test(hex);
}

/** The strongest digest; none if two of the same strength differ, for then either would do. */
function strongest(digests: readonly KnownDigest[]): KnownDigest | undefined {
  for (const algorithm of BY_STRENGTH.toReversed()) {
    const [first, ...others] = digests.filter((digest) => digest.algorithm === algorithm);
    if (first === undefined) continue;
    return others.every((other) => other.hex === first.hex) ? first : undefined;
  }
  return undefined;
}
