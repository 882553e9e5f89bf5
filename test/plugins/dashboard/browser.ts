/**
 * A real Chromium, headless, driven over its debugging pipe: opens a page, evaluates, takes
 * pictures. No library: three of the protocol's methods are all that is needed.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Readable, Writable } from 'node:stream';

const PROGRAMS = ['chromium', 'chromium-browser', 'google-chrome'];
const DEADLINE_MS = 30_000;

/** The browser of this machine, `undefined` if there is none. */
export function findBrowser(): string | undefined {
  return PROGRAMS.find((name) => spawnSync(name, ['--version']).status === 0);
}

interface Answer {
  readonly id?: number;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly message: string };
}

export class Browser {
  private readonly child: ChildProcess;
  private readonly waiting = new Map<number, (answer: Answer) => void>();
  private last = 0;
  private session: string | undefined;

  private constructor(child: ChildProcess) {
    this.child = child;
    let text = '';
    (child.stdio[4] as Readable).setEncoding('utf8').on('data', (chunk: string) => {
      const parts = (text + chunk).split('\0');
      text = parts.pop() ?? '';
      for (const part of parts) this.heard(JSON.parse(part) as Answer);
    });
  }

  /** @param profile a directory of its own */
  static async start(program: string, profile: string): Promise<Browser> {
    const words = ['--headless=new', '--no-sandbox', '--disable-gpu', '--no-first-run'];
    const places = [`--user-data-dir=${profile}`, '--window-size=1280,1500'];
    const quiet = ['--disable-background-networking', '--disable-dev-shm-usage'];
    const child = spawn(program, [...words, ...places, ...quiet, '--remote-debugging-pipe'], {
      stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'], HOME: profile },
    });
    const browser = new Browser(child);
    const { targetId } = await browser.send('Target.createTarget', { url: 'about:blank' });
    const attached = await browser.send('Target.attachToTarget', { targetId, flatten: true });
    browser.session = attached['sessionId'] as string;
    return browser;
  }

  async open(url: string): Promise<void> {
    await this.send('Page.navigate', { url });
  }

  /** The value of an expression in the page. */
  async evaluate<T>(expression: string): Promise<T> {
    const options = { expression, awaitPromise: true, returnByValue: true };
    const { result, exceptionDetails } = await this.send('Runtime.evaluate', options);
    if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails));
    return (result as { value: T }).value;
  }

  async prefer(scheme: 'light' | 'dark'): Promise<void> {
    const features = [{ name: 'prefers-color-scheme', value: scheme }];
    await this.send('Emulation.setEmulatedMedia', { features });
  }

  async picture(file: string): Promise<Buffer> {
    const { data } = await this.send('Page.captureScreenshot', { format: 'png' });
    const bytes = Buffer.from(data as string, 'base64');
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, bytes);
    return bytes;
  }

  async close(): Promise<void> {
    const closed = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await closed;
  }

  private async send(method: string, params: object): Promise<Readonly<Record<string, unknown>>> {
    this.last += 1;
    const id = this.last;
    const { session } = this;
    const message = {
      id,
      method,
      params,
      ...(session === undefined ? {} : { sessionId: session }),
    };
    const answered = new Promise<Answer>((resolve, reject) => {
      this.waiting.set(id, resolve);
      const late = AbortSignal.timeout(DEADLINE_MS);
      late.addEventListener('abort', () => reject(new Error(`no answer to ${method}`)));
    });
    (this.child.stdio[3] as Writable).write(`${JSON.stringify(message)}\0`);
    const { result, error } = await answered;
    if (error !== undefined) throw new Error(`${method}: ${error.message}`);
    return result ?? {};
  }

  private heard(answer: Answer): void {
    if (answer.id === undefined) return;
    this.waiting.get(answer.id)?.(answer);
    this.waiting.delete(answer.id);
  }
}
