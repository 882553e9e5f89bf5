/** The program `peerage` as its users run it: nodes in the foreground, and single commands. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export const PROGRAM = fileURLToPath(new URL('../../../core/bin/peerage.js', import.meta.url));

export interface Outcome {
  readonly code: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

function launch(words: readonly string[], cwd?: string): ChildProcess {
  const { PATH = '' } = process.env;
  return spawn(process.execPath, [PROGRAM, ...words], {
    env: { PATH, HOME: '/nonexistent' },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(cwd === undefined ? {} : { cwd }),
  });
}

async function outcomeOf(child: ChildProcess): Promise<Outcome> {
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout?.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => stderr.push(chunk));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr).toString() };
}

/** Runs a command to its end. */
export function peerage(...words: string[]): Promise<Outcome> {
  return outcomeOf(launch(words));
}

/** The same in a directory of its own. */
export function peerageIn(cwd: string, ...words: string[]): Promise<Outcome> {
  return outcomeOf(launch(words, cwd));
}

/** The JSON that a command printed to standard output. */
export function jsonOf<T>({ code, stdout, stderr }: Outcome): T {
  if (code !== 0) throw new Error(`the command ended with ${code}: ${stderr}`);
  return JSON.parse(stdout.toString()) as T;
}

export interface NodeSettings {
  readonly core?: object;
  readonly plugins?: object;
}

type Line = Readonly<Record<string, unknown>> & { readonly event: string };

/** A node that runs in the foreground of a process of its own. */
export class NodeProcess {
  readonly directory: string;
  readonly child: ChildProcess;
  readonly lines: Line[] = [];
  readonly exited: Promise<Outcome>;
  private waiting: Array<() => void> = [];
  private over = false;

  private constructor(directory: string, child: ChildProcess) {
    this.directory = directory;
    this.child = child;
    this.exited = outcomeOf(child);
    if (child.stdout === null) throw new Error('the node has no output');
    createInterface({ input: child.stdout }).on('line', (text) => {
      this.lines.push(JSON.parse(text) as Line);
      this.wake();
    });
    void this.exited.then(() => {
      this.over = true;
      this.wake();
    });
  }

  /** Writes plugins.json and starts; does not wait. */
  static async launch(directory: string, settings: NodeSettings = {}): Promise<NodeProcess> {
    await mkdir(directory, { recursive: true });
    const text = JSON.stringify({ core: {}, plugins: {}, ...settings }, undefined, 2);
    await writeFile(join(directory, 'plugins.json'), text);
    return new NodeProcess(directory, launch(['start', '--state', directory], directory));
  }

  /** Starts, and waits until it is ready. */
  static async start(directory: string, settings: NodeSettings = {}): Promise<NodeProcess> {
    const node = await NodeProcess.launch(directory, settings);
    await node.until('ready');
    return node;
  }

  /** The first line of this event. @throws if the node ends before it */
  async until(event: string): Promise<Line> {
    for (;;) {
      const found = this.lines.find((line) => line.event === event);
      if (found !== undefined) return found;
      if (this.over) throw new Error(`no ${event}: ${(await this.exited).stderr}`);
      await new Promise<void>((resolve) => this.waiting.push(resolve));
    }
  }

  run(...words: string[]): Promise<Outcome> {
    return peerage(...words, '--state', this.directory);
  }

  async json<T>(...words: string[]): Promise<T> {
    return jsonOf<T>(await this.run(...words, '--json'));
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Outcome> {
    if (!this.over) this.child.kill(signal);
    return this.exited;
  }

  private wake(): void {
    const { waiting } = this;
    this.waiting = [];
    for (const resolve of waiting) resolve();
  }
}

/** Call it inside `describe`; nodes that a test starts by it end with the test. */
export function useNodes(): {
  start: (directory: string, settings?: NodeSettings) => Promise<NodeProcess>;
  launch: (directory: string, settings?: NodeSettings) => Promise<NodeProcess>;
} {
  const running: NodeProcess[] = [];
  afterEach(async () => {
    await Promise.all(running.splice(0).map((node) => node.stop('SIGKILL')));
  });
  const launchOne = async (directory: string, settings?: NodeSettings) => {
    const node = await NodeProcess.launch(directory, settings);
    running.push(node);
    return node;
  };
  const start = async (directory: string, settings?: NodeSettings) => {
    const node = await launchOne(directory, settings);
    await node.until('ready');
    return node;
  };
  return { start, launch: launchOne };
}
