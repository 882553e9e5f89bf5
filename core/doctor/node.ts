/**
 * The doctor's look at the running node, through its local sockets: whether its own broadcast comes
 * back, what it rejects and why, its certificate, its plugins, and whether each peer can be reached.
 */
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { PeeringStatus, PeerStatus, PluginStatus } from '../ports/ports.js';
import type { CoreSettings } from '../ports/settings.js';
import { bad, type Finding, ok, warn } from './finding.js';

/** Where the facts come from: the JSON views of the node, and its one way to say hello. */
export interface NodeView {
  look(view: string): Promise<unknown>;
  /** Makes the node broadcast a hello; false if this user may not. */
  probe(): Promise<boolean>;
}

export interface NodeFacts {
  readonly solo: boolean;
  readonly certificateEnds: string;
  readonly lan: Omit<PeeringStatus, 'peers'>;
  readonly plugins: readonly PluginStatus[];
}

/** Two hellos are at most this far apart when one is asked for (PROTOCOL §2.6). */
const PROBE_MS = 1500;
const CONNECT_MS = 1500;
const DAY_MS = 86_400_000;
const ENDS_SOON_MS = 5 * DAY_MS;

export async function checkNode(view: NodeView, core: CoreSettings, now: number) {
  const before = (await view.look('status')) as NodeFacts;
  const findings = [judgeCertificate(before.certificateEnds, now), ...judgePlugins(before.plugins)];
  if (before.solo) {
    const remedy = 'make a group (`peerage ca init`), or join one (`peerage join HOST TOKEN`)';
    return [...findings, warn('group', 'a group of one: nothing is shared', remedy)];
  }
  const probed = await view.probe();
  if (probed) await pause(PROBE_MS);
  const after = (await view.look('status')) as NodeFacts;
  const peers = (await view.look('peers')) as PeerStatus[];
  const count = ({ lan }: NodeFacts, name: string) => lan.counters[name] ?? 0;
  const heard = (name: string) => count(after, name) - (probed ? count(before, name) : 0);
  return [
    ...findings,
    judgeBroadcast(heard('sent-hello'), heard('rejected-own'), core.packetPort),
    ...judgeRejections(after.lan.counters, core),
    ...judgePeers(peers),
    ...(await Promise.all(peers.map((peer) => checkPeer(peer, core.objectPort)))),
  ];
}

export function judgeCertificate(ends: string, now: number): Finding {
  const leftMs = Date.parse(ends) - now;
  if (leftMs <= 0) {
    const remedy = 'join again with a new token (`peerage ca token` on the machine with the CA)';
    return bad('certificate', `it ended on ${ends}`, remedy);
  }
  const text = `good for ${Math.floor(leftMs / DAY_MS)} days, until ${ends}`;
  if (leftMs > ENDS_SOON_MS) return ok('certificate', text);
  const remedy = 'it should have been renewed: start the node of the machine that has the CA';
  return warn('certificate', text, remedy);
}

export function judgePlugins(plugins: readonly PluginStatus[]): Finding[] {
  const failing = plugins.filter(({ state }) => state !== 'active' && state !== 'disabled');
  if (failing.length === 0) return [ok('plugins', `${plugins.length} in order`)];
  return failing.map(({ id, state, lastError }) => {
    const remedy = `see the log's lines of plugin ${id}; it is restarted with the node`;
    return bad('plugins', `${id} is ${state}: ${lastError ?? 'no error was seen'}`, remedy);
  });
}

/** Packets that we broadcast come back to us too, unless something on the way in drops them. */
export function judgeBroadcast(sent: number, heard: number, port: number): Finding {
  if (heard > 0) return ok('broadcast', `sent ${sent}, heard back ${heard}`);
  const remedy = `open UDP ${port} for incoming packets in this machine's firewall`;
  if (sent > 0) return bad('broadcast', `sent ${sent} on UDP ${port}, heard none back`, remedy);
  return bad('broadcast', `nothing could be sent on UDP ${port}`, 'see check interfaces');
}

export function judgeRejections(
  counters: Readonly<Record<string, number>>,
  core: CoreSettings,
): Finding[] {
  const count = (reason: string) => counters[`rejected-${reason}`] ?? 0;
  const found: Finding[] = [];
  if (count('time') > 0) {
    const what = `${count('time')} packets of others are from another time than ours`;
    const remedy = 'set this clock and theirs by NTP (timedatectl set-ntp true)';
    found.push(bad('clock', what, remedy));
  } else found.push(ok('clock', 'no packet came from another time'));
  if (count('address') > 0) {
    const what = `${count('address')} packets came from outside our network's mask`;
    found.push(bad('netmask', what, 'give all machines of the LAN the same mask'));
  }
  if (count('certificate') + count('revoked') > 0) {
    const what = `${count('certificate')} packets had a certificate that is no longer good, or not of our group, ${count('revoked')} of a revoked one`;
    found.push(warn('members', what, 'see `peerage ca list`; that machine must join again'));
  }
  const ports = `UDP ${core.packetPort} and TCP ${core.objectPort}`;
  if (counters['received-hello'] === undefined) {
    const remedy = `open ${ports} on the other machines, check cable, Wi-Fi isolation and mask`;
    found.push(warn('peers', 'no other node was ever heard', remedy));
  }
  return found;
}

function judgePeers(peers: readonly PeerStatus[]): Finding[] {
  return peers.length === 0 ? [] : [ok('peers', peers.map(({ name }) => name).join(', '))];
}

/** Whether a peer's object server takes connections: it may be dead, or behind a firewall. */
async function checkPeer({ name, address, heardMsAgo }: PeerStatus, port: number) {
  const fault = await reach(address, port);
  if (fault === undefined) return ok('peer', `${name} serves on ${address}:${port}`);
  const heard = `last heard ${Math.round(heardMsAgo / 1000)} s ago`;
  const remedy = `start its node again if it is gone; else open TCP ${port} in its firewall`;
  return bad('peer', `${name} does not answer on ${address}:${port} (${fault}), ${heard}`, remedy);
}

/** Why nothing answers there, `undefined` if somebody does. */
export function reach(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: CONNECT_MS });
    const end = (fault: string | undefined) => {
      socket.destroy();
      resolve(fault);
    };
    socket.once('connect', () => end(undefined));
    socket.once('timeout', () => end(`no answer within ${CONNECT_MS} ms`));
    socket.once('error', ({ code }: NodeJS.ErrnoException) => end(code ?? 'failed'));
  });
}
