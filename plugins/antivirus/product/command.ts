/**
 * `peerage-feed`: makes and refreshes a product feed. A program of its own, not a command of the
 * node: whoever publishes need not run one, and the keys must not be where the service can read.
 */
import { CodedError, describeError, errorCode } from '@peerage/sdk';
import { FeedRepository } from './repository.js';

const USAGE = `usage: peerage-feed create DIRECTORY --keys KEYS
       peerage-feed add DIRECTORY --keys KEYS COMPONENT VERSION FILE…
       peerage-feed recall DIRECTORY --keys KEYS COMPONENT VERSION BACK_TO
       peerage-feed publish DIRECTORY --keys KEYS [--days DAYS]
DIRECTORY goes to a web server; KEYS stays with the publisher.`;

/** Carries a command line out; gives the exit code. */
export async function main(
  args: readonly string[],
  print: (text: string) => void,
): Promise<number> {
  try {
    print(await run(args));
    return 0;
  } catch (error) {
    print(`${errorCode(error)}: ${describeError(error)}`);
    return errorCode(error) === 'E_USAGE' ? 2 : 1;
  }
}

async function run(args: readonly string[]): Promise<string> {
  const rest = [...args];
  const keys = option(rest, '--keys');
  const days = option(rest, '--days');
  const [command, directory, component, version, ...files] = rest;
  if (directory === undefined || keys === undefined) throw usage();
  const repository = new FeedRepository(directory, keys);
  switch (command) {
    case 'create':
      await repository.create();
      return `${directory} is a feed; give ${directory}/metadata/1.root.json to its users`;
    case 'add':
      if (component === undefined || version === undefined || files.length === 0) throw usage();
      await repository.add(component, version, files);
      return `${component} ${version}: ${files.length} files; publish to offer it`;
    case 'recall': {
      const [backTo] = files;
      if (component === undefined || version === undefined || backTo === undefined) throw usage();
      await repository.recall(component, version, backTo);
      return `${component} ${version} is recalled to ${backTo}; publish to tell it`;
    }
    case 'publish':
      await repository.publish(days === undefined ? {} : { timestampDays: Number(days) });
      return `${directory} is signed anew; copy it to the server`;
    default:
      throw usage();
  }
}

function option(args: string[], name: string): string | undefined {
  const at = args.indexOf(name);
  if (at < 0) return undefined;
  const [, value] = args.splice(at, 2);
  return value;
}

function usage(): CodedError {
  return new CodedError('E_USAGE', 'the command line was used wrongly', { expected: USAGE });
}
