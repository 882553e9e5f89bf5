/** A host in a process of its own, for the test that kills it: tells the pid of its looping plugin. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { HostRig, pluginSource } from './rig.js';

const rig = new HostRig(join(process.argv[2] ?? '', 'core'));
await mkdir(rig.directory, { recursive: true });
const body = 'activate() { setImmediate(() => { for (;;); }); }';
const times = { activateMs: 15_000, shutdownMs: 1000, pingMs: 60_000, backoffMs: 10 };
await rig.start({ demo: { source: pluginSource([], body) } }, times);
process.send?.(rig.status().pid);
