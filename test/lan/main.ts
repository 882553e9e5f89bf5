/**
 * `npm run lab -- SCENARIO`: runs a scenario on real hosts and prints its report.
 *
 * Exit code 0 if all targets hold, 1 if not (or it broke), 2 if it could not be run at all.
 */
import { parseArgs } from 'node:util';
import { CodedError, describeError, errorCode } from '@peerage/sdk';
import { failed, printed } from './report.js';
import {
  PEERS,
  type Peer,
  RANGES,
  ROUTES,
  type Scenario,
  type ScenarioOptions,
} from './scenario.js';
import { SCENARIOS } from './scenarios/index.js';

const EXIT_HELD = 0;
const EXIT_MISSED = 1;
const EXIT_UNABLE = 2;

const USAGE = `usage: npm run lab -- SCENARIO [options]

  --hosts N                 hosts on the LAN
  --size BYTES              size of the file, where a scenario has one
  --seconds N               how long each part of an attack lasts (flood)
  --times N                 how often each thing is tried (evil), packets in all (replay)
  --via proxy|mirror        how clients reach the cache (once)
  --peer direct|aria2       to compare: the same without Peerage; aria2 beside it (crowd)
  --runs N                  how often (kill, plugins), for how many minutes (soak)
  --seed N                  number of the first run, so that a failing one can be rerun (kill)
  --range on|off            whether the origin answers requests for a part (kill)
  --logs DIRECTORY          keep the nodes' logs there
  --json                    print the report as JSON

${SCENARIOS.map(({ name, summary }) => `  ${name.padEnd(24)}  ${summary}`).join('\n')}
`;

interface Request {
  readonly scenario: Scenario;
  readonly options: ScenarioOptions;
  readonly json: boolean;
}

/** What the command line asks for. @throws CodedError `E_LAB_OPTIONS` */
function parse(args: readonly string[]): Request {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      hosts: { type: 'string' },
      size: { type: 'string' },
      via: { type: 'string' },
      seconds: { type: 'string' },
      times: { type: 'string' },
      peer: { type: 'string' },
      runs: { type: 'string' },
      seed: { type: 'string' },
      range: { type: 'string' },
      logs: { type: 'string' },
      json: { type: 'boolean', default: false },
    },
  });
  const [name, ...more] = positionals;
  const scenario = SCENARIOS.find((candidate) => candidate.name === name);
  if (scenario === undefined || more.length > 0) {
    throw new CodedError('E_LAB_OPTIONS', 'name one scenario of those below');
  }
  const options = {
    hosts: count('--hosts', values.hosts),
    sizeBytes: count('--size', values.size),
    times: count('--times', values.times),
    seconds: count('--seconds', values.seconds),
    via: choice('--via', values.via, ROUTES),
    peer: peerOf(scenario, values.peer),
    runs: count('--runs', values.runs),
    seed: count('--seed', values.seed),
    range: choice('--range', values.range, RANGES),
    logsDirectory: values.logs,
    say: (step: string) => void process.stderr.write(`${step}\n`),
  };
  return { scenario, options, json: values.json };
}

function count(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new CodedError('E_LAB_OPTIONS', `${option} ${text}`, { expected: 'a number from 1' });
}

function choice<T extends string>(
  option: string,
  text: string | undefined,
  allowed: readonly T[],
): T | undefined {
  if (text === undefined) return undefined;
  const chosen = allowed.find((value) => value === text);
  if (chosen !== undefined) return chosen;
  throw new CodedError('E_LAB_OPTIONS', `${option} ${text}`, { expected: allowed.join(' or ') });
}

function peerOf({ name, peers = ['peerage'] }: Scenario, text: string | undefined) {
  const peer: Peer | undefined = choice('--peer', text, PEERS);
  if (peer === undefined || peers.includes(peer)) return peer;
  const expected = `${peers.join(' or ')} with ${name}`;
  throw new CodedError('E_LAB_OPTIONS', `--peer ${peer}`, { expected });
}

async function main(args: readonly string[]): Promise<number> {
  let request: Request;
  try {
    request = parse(args);
  } catch (error) {
    process.stderr.write(`${describeError(error)}\n\n${USAGE}`);
    return EXIT_UNABLE;
  }
  const { scenario, options, json } = request;
  const missing = scenario.missing();
  if (missing !== undefined) {
    process.stdout.write(json ? `${JSON.stringify({ skipped: missing })}\n` : `${missing}\n`);
    return EXIT_UNABLE;
  }
  try {
    const report = await scenario.run(options);
    process.stdout.write(json ? `${JSON.stringify(report, undefined, 2)}\n` : printed(report));
    return failed(report).length === 0 ? EXIT_HELD : EXIT_MISSED;
  } catch (error) {
    process.stderr.write(`${errorCode(error)}: ${describeError(error)}\n`);
    return EXIT_MISSED;
  }
}

process.exitCode = await main(process.argv.slice(2));
