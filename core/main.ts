/** The program `peerage`. */
import { run } from './cli/run.js';

process.exitCode = await run(process.argv.slice(2));
// A command is over when it is done; what a library still holds open must not keep it.
process.exit();
