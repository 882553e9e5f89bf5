/** Nodes with an update agent each, for a feed of plain files that a test makes up. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CodedError, type Log } from '@peerage/sdk';
import {
  type Disk,
  type Feed,
  type Installation,
  type News,
  type Release,
  type Retrieved,
  type Role,
  type Rules,
  Shelf,
  UpdateAgent,
} from '@peerage/update-agent';
import type { FakeLan, FakeNode } from './fake-lan.js';

export const ORIGIN = 'http://feed.test';
const NO_RULES: Rules = { pins: {}, recalls: [] };

export const silent: Log = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** A release of one file, whose text names its version. */
export function release(version: string, component = 'list'): Release {
  const url = `${ORIGIN}/${component}?version=${version}`;
  return { component, version, files: [{ name: 'file', url, sizeMaxBytes: 1_000_000 }] };
}

export function contentOf(version: string): string {
  return `genuine ${version}`;
}

/** A feed whose files are good when they say so. */
export class TestFeed implements Feed {
  readonly name = 'test';
  readonly log: string[] = [];
  offered: readonly Release[] = [];
  polls = 0;
  pollFails: Error | undefined;
  installFails: Error | undefined;

  async poll(): Promise<readonly Release[]> {
    this.polls += 1;
    if (this.pollFails !== undefined) throw this.pollFails;
    return this.offered;
  }

  async learn(news: readonly News[]): Promise<readonly Release[]> {
    return news.map(({ component, version }) => release(version, component));
  }

  details(_release: Release, [file]: readonly Retrieved[]): Record<string, string> {
    return { sha256: file?.sha256 ?? '' };
  }

  async verify({ version, files }: Release, directory: string): Promise<void> {
    for (const { name } of files) {
      const text = await readFile(join(directory, name), 'utf8');
      if (text === contentOf(version)) continue;
      throw new CodedError('E_FEED_TEST', `${name} says ${text.slice(0, 30)}`);
    }
  }

  async install({ version, before }: Installation): Promise<void> {
    if (this.installFails !== undefined) throw this.installFails;
    this.log.push(`${before?.version ?? 'nothing'} -> ${version}`);
  }
}

export interface Member {
  readonly node: FakeNode;
  readonly feed: TestFeed;
  readonly shelf: Shelf;
  readonly agent: UpdateAgent;
  rules: Rules;
  role: Role;
  nowMs: number;
}

export interface MemberOptions {
  readonly directory: string;
  readonly role?: Role;
  readonly hasInternet?: boolean;
  readonly disk?: Disk;
}

export async function member(lan: FakeLan, name: string, options: MemberOptions): Promise<Member> {
  const { directory, role = 'provide', hasInternet = true, disk } = options;
  const node = lan.node(name, hasInternet);
  const feed = new TestFeed();
  const shelf = await Shelf.open(directory, disk);
  const made: Omit<Member, 'agent'> = {
    node,
    feed,
    shelf,
    rules: NO_RULES,
    role,
    nowMs: 1_000_000,
  };
  const agent = new UpdateAgent(feed, {
    ...{ node: name, shelf, peering: node, lan: node, log: silent },
    role: async () => whole.role,
    rules: () => whole.rules,
    now: () => whole.nowMs,
    ...(disk === undefined ? {} : { disk }),
  });
  const whole: Member = Object.assign(made, { agent });
  await agent.start();
  return whole;
}

/** Puts a version at the origin. */
export function publish(lan: FakeLan, version: string, text = contentOf(version)): Release {
  const made = release(version);
  lan.origin.set(made.files[0]?.url ?? '', { body: text });
  return made;
}
