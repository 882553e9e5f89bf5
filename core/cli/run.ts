/**
 * The commands by name; those that need more than a socket are loaded when used. Errors become one line (or one JSON object) and an
 * exit code.
 */
import { CodedError, describeError, errorCode } from '@peerage/sdk';
import { CORE_VERSION } from '../version.js';
import { actAsOwner } from './as-owner.js';
import { look } from './look.js';
import { type CommandLine, parseCommandLine, USAGE } from './options.js';
import { runPluginCommand, splitPluginCommand } from './plugin-command.js';
import { cache, get, serving } from './resources.js';

const VIEWS = ['status', 'peers', 'downloads'];
/** Every other first word is a plugin's. */
const BUILT_IN = [
  ...VIEWS,
  ...'doctor service setup elections why start get cache serving plugins ca join create-plugin dev'.split(
    ' ',
  ),
];

/** @returns the exit code: 0 done, 1 failed, 2 used wrongly, 3 no node is running */
export async function run(argv: readonly string[]): Promise<number> {
  const json = argv.includes('--json');
  try {
    const foreign = splitPluginCommand(argv);
    if (foreign !== undefined && !BUILT_IN.includes(foreign.plugin)) {
      return await runPluginCommand(foreign);
    }
    return await dispatch(parseCommandLine(argv));
  } catch (error) {
    const code = errorCode(error);
    const text = json
      ? JSON.stringify({ code, error: describeError(error) })
      : `peerage: ${describeError(error)} [${code}]`;
    process.stderr.write(`${text}\n`);
    if (code === 'E_USAGE') return 2;
    return code === 'E_NOT_RUNNING' ? 3 : 1;
  }
}

async function dispatch(line: CommandLine): Promise<number> {
  const [command, verb, argument] = line.words;
  if (line.version) {
    process.stdout.write(`${CORE_VERSION}\n`);
    return 0;
  }
  if (line.help || command === undefined) {
    process.stdout.write(USAGE);
    return line.help ? 0 : 2;
  }
  if (VIEWS.includes(command)) return look(line, command);
  if (command === 'doctor') return (await import('./doctor.js')).doctor(line);
  if (command === 'service') return (await import('./service.js')).service(line, verb);
  if (command === 'setup') return (await import('./setup.js')).setup(line, verb);
  if (command === 'elections') return (await import('./elections.js')).elections(line);
  if (command === 'why') return (await import('./why.js')).why(line, verb);
  if (command === 'start') return (await import('./start.js')).start(line);
  if (command === 'get') return get(line, verb);
  if (command === 'serving') return serving(line, verb);
  if (command === 'cache')
    return verb === 'list' ? look(line, 'cache') : cache(line, verb ?? '', argument);
  if (command === 'plugins')
    return verb === 'list'
      ? look(line, 'plugins')
      : (await import('./plugins.js')).plugins(line, verb ?? '', argument);
  if (command === 'create-plugin') {
    return (await import('./create-plugin.js')).createPlugin(line, verb);
  }
  if (command === 'dev') return (await import('./dev.js')).dev(line, verb);
  // What is issued for another machine is written where root asks for it.
  const ownFiles = command === 'join' || (command === 'ca' && verb !== 'issue');
  if (ownFiles) await actAsOwner(line.stateDirectory);
  if (command === 'ca') return (await import('./authority.js')).ca(line, verb ?? '', argument);
  if (command === 'join') return (await import('./join.js')).join(line, verb, argument);
  throw new CodedError('E_USAGE', `${command} is not a command`, {
    action: 'see `peerage --help`',
  });
}
