/** What the tests of the request path share: a node, an origin, and peers that end with the test. */
import assert from 'node:assert/strict';
import type { ResourceRequest } from '@peerage/sdk';
import { ContentNode, type ContentNodeOptions } from '../fakes/content-node.js';
import { LoopbackOrigin } from '../fakes/origin.js';
import { Holder, ScriptedPeer } from '../fakes/peers.js';
import { useScratch } from '../fakes/scratch.js';

/** Peers may be asked for it, since the client verifies what it gets. */
export const SHARED = { policy: { clientVerifies: true } } as const;

export class Rig {
  origin: LoopbackOrigin;
  private readonly scratch: (name?: string) => string;
  private readonly endings: Array<() => Promise<void>> = [];
  private peers = 1;

  constructor(origin: LoopbackOrigin, scratch: (name?: string) => string) {
    this.origin = origin;
    this.scratch = scratch;
  }

  async node(options: ContentNodeOptions = {}): Promise<ContentNode> {
    const node = await ContentNode.start(this.scratch('store'), options);
    this.endings.push(() => node.close());
    return node;
  }

  /** An honest peer on an address of its own. */
  async holder(name: string): Promise<Holder> {
    const holder = await Holder.start(name, this.nextAddress(), this.scratch('store'));
    this.endings.push(() => holder.close());
    return holder;
  }

  /** A member that does what the test says. */
  async scripted(name: string): Promise<ScriptedPeer> {
    const peer = await ScriptedPeer.start(name, this.nextAddress());
    this.endings.push(() => peer.close());
    return peer;
  }

  async end(): Promise<void> {
    for (const end of this.endings.splice(0).reverse()) await end();
    await this.origin.close();
  }

  private nextAddress(): string {
    this.peers += 1;
    return `127.0.0.${this.peers}`;
  }
}

/** Gets a resource, and holds it against what is expected; returns when it is stored too. */
export async function isRight(
  node: ContentNode,
  url: string,
  source: string,
  expected: Buffer,
  request: Partial<ResourceRequest> = {},
): Promise<void> {
  const got = await node.get(url, request);
  assert.equal(got.source, source);
  assert.equal(got.status, 200);
  assert.ok(got.bytes.equals(expected), `${source}: ${got.bytes.length} bytes came`);
  await node.settled();
}

/** Call it inside `describe`; gives the rig of the test that runs. */
export function useRig(): () => Rig {
  const scratch = useScratch();
  let rig: Rig;
  beforeEach(async () => {
    rig = new Rig(await LoopbackOrigin.start(), scratch);
  });
  afterEach(() => rig.end());
  return () => rig;
}
