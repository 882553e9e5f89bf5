/**
 * `npm run fuzz -- packets|differential|http [--seconds S] [--seed N] [--json]`: fuzzes for a while and
 * says what it saw. Exit code 0: nothing found; 1: something was; 2: used wrongly.
 */
import { parseArgs } from 'node:util';
import { fuzzHttp } from './http.js';
import { isClean, type Report } from './report.js';
import { fuzz, TARGETS } from './targets.js';

const NAMES = [...Object.keys(TARGETS), 'http'];
const USAGE = `npm run fuzz -- ${NAMES.join('|')} [--seconds S] [--seed N] [--json]\n`;

function print(report: Report, seconds: number, json: boolean): void {
  if (json) {
    process.stdout.write(`${JSON.stringify({ seconds, ...report })}\n`);
    return;
  }
  const { target, seed, inputs, accepted, throws, disagreements, outcomes, faults } = report;
  const rows = Object.entries(outcomes).sort(([, a], [, b]) => b - a);
  const figures = `${inputs} inputs, ${accepted} accepted, ${throws} throws, ${disagreements} disagreements`;
  process.stdout.write(`${target}, seed ${seed}, ${seconds} s: ${figures}\n`);
  for (const [name, count] of rows) process.stdout.write(`  ${count}\t${name}\n`);
  for (const fault of faults) process.stdout.write(`fault: ${fault}\n`);
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      seconds: { type: 'string', default: '10' },
      seed: { type: 'string', default: '1' },
      json: { type: 'boolean', default: false },
    },
  });
  const [target = '', ...more] = positionals;
  const seconds = Number(values.seconds);
  const seed = Number(values.seed);
  if (!NAMES.includes(target) || more.length > 0 || !(seconds > 0) || !(seed >= 0)) {
    process.stderr.write(USAGE);
    return 2;
  }
  const endsAt = performance.now() + seconds * 1000;
  const goOn = () => performance.now() < endsAt;
  const report = target === 'http' ? await fuzzHttp(seed, goOn) : fuzz(target, seed, goOn);
  print(report, seconds, values.json);
  return isClean(report) ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n${USAGE}`);
  process.exitCode = 2;
}
