/** The program `peerage`. */
import { written } from './cli/output.js';
import { run } from './cli/run.js';

process.exitCode = await run(process.argv.slice(2));
await Promise.all([process.stdout, process.stderr].map(written));
// A command is over when it is done; what a library still holds open must not keep it.
process.exit();
