/**
 * A program for the LAN's own tests: makes a LAN with something running on it, and ends badly.
 *
 * Prints the LAN's name once it stands. `throw` then ends by an uncaught exception, `wait` goes on
 * until it is killed.
 */
import { Lan } from './lan.js';

const lan = Lan.create({ hosts: 1, internetRateKbit: 10_000 });
const sleeper = lan.host(1).spawn('sleep', ['600']);
process.stdout.write(`${JSON.stringify({ name: lan.name, pid: sleeper.child.pid })}\n`);
if (process.argv[2] === 'throw') setImmediate(() => Promise.reject(new Error('on purpose')));
