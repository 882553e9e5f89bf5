/**
 * A program for the LAN's own tests: makes a LAN and a loopback place with something running on
 * each, and ends badly.
 *
 * Prints the LAN's name and the pids once all stands. `throw` then ends by an uncaught exception,
 * `wait` goes on until it is killed.
 */
import { join } from 'node:path';
import { Lan } from './lan.js';
import { LoopbackPlace } from './place.js';
import { Workspace } from './workspace.js';

const lan = Lan.create({ hosts: 1, internetRateKbit: 10_000 });
const directory = join(new Workspace().directory, 'n1');
const places = [lan.host(1), new LoopbackPlace('n1', '127.0.0.1', directory)];
const pids = places.map((place) => place.spawn('sleep', ['600']).child.pid);
process.stdout.write(`${JSON.stringify({ name: lan.name, pids })}\n`);
if (process.argv[2] === 'throw') setImmediate(() => Promise.reject(new Error('on purpose')));
