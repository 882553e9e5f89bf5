/**
 * Who may look: everybody on loopback without a password set; else whoever gave the password and
 * has the cookie that was given for it. Guesses are few, sessions end, both tables are bounded.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

export const COOKIE = 'peerage-dashboard';
const SESSION_MS = 12 * 3_600_000;
/** People who look at once. */
const SESSIONS_MAX = 64;
/** Wrong passwords in a minute from one address: another one's guesses lock nobody out. */
const GUESSES_MAX = 5;
/** Addresses whose guesses are counted; with more in a minute, all wait. */
const GUESSERS_MAX = 256;
const GUESSES_MS = 60_000;

export class Sessions {
  private readonly password: string;
  private readonly now: () => number;
  private readonly endings = new Map<string, number>();
  private readonly wrong = new Map<string, number[]>();

  constructor(password: string, now: () => number) {
    this.password = password;
    this.now = now;
  }

  /** Whether a request with this Cookie header may look. */
  allows(header: string | undefined): boolean {
    if (this.password === '') return true;
    const token = tokenIn(header ?? '');
    const end = token === undefined ? undefined : this.endings.get(token);
    return end !== undefined && end > this.now();
  }

  /** The cookie for the right password; `wrong` or `later` for others. */
  open(password: string, address: string): { readonly cookie: string } | 'wrong' | 'later' {
    const now = this.now();
    for (const [one, times] of this.wrong) {
      const late = times.filter((at) => now - at < GUESSES_MS);
      if (late.length === 0) this.wrong.delete(one);
      else this.wrong.set(one, late);
    }
    const guesses = this.wrong.get(address) ?? [];
    const isFull = this.wrong.size >= GUESSERS_MAX && guesses.length === 0;
    if (guesses.length >= GUESSES_MAX || isFull) return 'later';
    if (!same(password, this.password)) {
      this.wrong.set(address, [...guesses, now]);
      return 'wrong';
    }
    const token = randomBytes(32).toString('base64url');
    this.endings.set(token, now + SESSION_MS);
    const [oldest] = this.endings.keys();
    if (this.endings.size > SESSIONS_MAX && oldest !== undefined) this.endings.delete(oldest);
    const rules = `Path=/; HttpOnly; SameSite=Strict; Max-Age=${SESSION_MS / 1000}`;
    return { cookie: `${COOKIE}=${token}; ${rules}` };
  }
}

function tokenIn(header: string): string | undefined {
  const pair = header.split(/;\s*/).find((part) => part.startsWith(`${COOKIE}=`));
  return pair?.slice(COOKIE.length + 1);
}

/** Compared in the same time whatever differs. */
function same(a: string, b: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
