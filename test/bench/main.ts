/**
 * `npm run bench -- NAME`: measures, prints a table and the targets. README.md beside this file
 * says what each figure means and keeps the last ones.
 *
 * Exit code 0 if it ran (a figure is not a test), 1 if it broke, 2 if it could not be run here.
 */
import { parseArgs } from 'node:util';
import { describeError, errorCode } from '@peerage/sdk';
import { printed } from '../lan/report.js';
import type { Bench } from './bench.js';
import { cache } from './cache.js';
import { idle } from './idle.js';
import { packets } from './packets.js';
import { start } from './start.js';
import { store } from './store.js';

const EXIT_BROKEN = 1;
const EXIT_UNABLE = 2;

const BENCHES: readonly Bench[] = [cache, packets, store, start, idle];

const USAGE = `usage: npm run bench -- NAME [--tiny] [--json]

  --tiny     small and short, to see that it runs
  --json     print the report as JSON

${BENCHES.map(({ name, summary }) => `  ${name.padEnd(9)}  ${summary}`).join('\n')}
`;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      tiny: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  });
  const bench = BENCHES.find(({ name }) => name === positionals[0]);
  if (bench === undefined || positionals.length > 1) {
    process.stderr.write(USAGE);
    return EXIT_UNABLE;
  }
  const missing = bench.missing();
  if (missing !== undefined) {
    process.stdout.write(`${missing}\n`);
    return EXIT_UNABLE;
  }
  try {
    const say = (step: string) => void process.stderr.write(`${step}\n`);
    const report = await bench.run({ tiny: values.tiny, say });
    process.stdout.write(
      values.json ? `${JSON.stringify(report, undefined, 2)}\n` : printed(report),
    );
    return 0;
  } catch (error) {
    process.stderr.write(`${errorCode(error)}: ${describeError(error)}\n`);
    return EXIT_BROKEN;
  }
}

process.exitCode = await main();
