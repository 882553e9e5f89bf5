/** The commands of the CA; they work on files alone, no node need run. */
import { join } from 'node:path';
import { loadAuthority, machineName, makeAuthority, prepareState, saveIdentity } from '../state.js';
import { issueIdentity } from '../trust/authority.js';
import type { CommandLine } from './options.js';
import { print, usage } from './output.js';

const CERTIFICATE_DAYS = 30;
const CERTIFICATE_DAYS_MAX = 3650;

/** `peerage ca init|issue`: works on files alone, no node need run. */
export async function ca(
  line: CommandLine,
  verb: string,
  name: string | undefined,
): Promise<number> {
  const { stateDirectory } = line;
  const days = Number(line.days ?? CERTIFICATE_DAYS);
  if (!Number.isInteger(days) || days < 1 || days > CERTIFICATE_DAYS_MAX) {
    throw usage(`--days must be a whole number from 1 to ${CERTIFICATE_DAYS_MAX}`);
  }
  await prepareState(stateDirectory);
  if (verb === 'init') {
    const authority = await makeAuthority(stateDirectory, line.group ?? 'peerage');
    const identity = issueIdentity(authority, line.name ?? machineName(), days, Date.now());
    await saveIdentity(join(stateDirectory, 'identity.pem'), identity);
    const result = { group: authority.group, node: identity.name, kid: identity.kid };
    print(
      line,
      result,
      `group ${authority.group} made; this machine is ${identity.name} in it (restart the node).\nNext: peerage ca issue NAME --out NAME.pem, and place it as identity.pem in that machine's state directory.`,
    );
    return 0;
  }
  if (verb !== 'issue') throw usage(`ca ${verb} is not known`);
  if (name === undefined || line.outputFile === undefined)
    throw usage('ca issue needs NAME and --out FILE');
  const identity = issueIdentity(await loadAuthority(stateDirectory), name, days, Date.now());
  await saveIdentity(line.outputFile, identity);
  const result = { node: identity.name, kid: identity.kid, file: line.outputFile };
  print(
    line,
    result,
    `${name}: ${line.outputFile} is its key and certificate; place it as identity.pem in its state directory, and keep it secret`,
  );
  return 0;
}
