/** The commands that change something: get, cache, plugins, ca. */

import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { CodedError } from '@peerage/sdk';
import { applyEdits, modify } from 'jsonc-parser';
import { nearest, parseConfiguration } from '../ports/configuration.js';
import { loadAuthority, machineName, makeAuthority, prepareState, saveIdentity } from '../state.js';
import { issueIdentity } from '../trust/authority.js';
import { ask, readAll, send, serviceError } from './client.js';
import type { CommandLine } from './options.js';
import { formatBytes, ProgressBar } from './print.js';

const CERTIFICATE_DAYS = 30;
const CERTIFICATE_DAYS_MAX = 3650;

function print(line: CommandLine, value: unknown, text: string): void {
  process.stdout.write(`${line.json ? JSON.stringify(value) : text}\n`);
}

function usage(message: string): CodedError {
  return new CodedError('E_USAGE', message, { action: 'see `peerage --help`' });
}

/** `peerage get URL [-o FILE]`: writes to FILE, or to standard output. */
export async function get(line: CommandLine, url: string | undefined): Promise<number> {
  if (url === undefined) throw usage('which URL?');
  const response = await send(
    line.stateDirectory,
    'GET',
    `/get?url=${encodeURIComponent(url)}`,
    true,
  );
  if (response.statusCode !== 200)
    throw serviceError(JSON.parse((await readAll(response)).toString('utf8')));
  const { headers } = response;
  const status = Number(headers['peerage-status']);
  const source = String(headers['peerage-source']);
  const total =
    headers['content-length'] === undefined ? undefined : Number(headers['content-length']);
  const { outputFile } = line;
  const temporary = outputFile === undefined ? undefined : `${outputFile}.part`;
  const output = temporary === undefined ? process.stdout : createWriteStream(temporary);
  const bar = new ProgressBar(url.split('/').pop() || url, total);
  let received = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      received += chunk.length;
      bar.update(received);
      if (!output.write(chunk)) await once(output, 'drain');
    }
    if (outputFile !== undefined && temporary !== undefined) {
      output.end();
      await finished(output);
      if (status === 200) await rename(temporary, outputFile);
    }
  } catch (cause) {
    throw new CodedError('E_BODY_TRUNCATED', `${url} broke off after ${received} bytes`, {
      action: 'try again',
      cause,
    });
  } finally {
    bar.end();
    if (temporary !== undefined) await rm(temporary, { force: true });
  }
  if (status !== 200) throw new CodedError('E_STATUS', `${url}: the origin answered ${status}`);
  const summary = { url, status, source, bytes: received };
  if (line.json && outputFile !== undefined) print(line, summary, '');
  else process.stderr.write(`${formatBytes(received)} from ${source}\n`);
  return 0;
}

/** `peerage cache list|pin|unpin|purge URL` (list is elsewhere). */
export async function cache(
  line: CommandLine,
  verb: string,
  url: string | undefined,
): Promise<number> {
  if (!['pin', 'unpin', 'purge'].includes(verb)) throw usage(`cache ${verb} is not known`);
  if (url === undefined) throw usage('which URL?');
  const path = `/cache/${verb}?url=${encodeURIComponent(url)}`;
  const result = (await ask(line.stateDirectory, 'POST', path)) as { entries: number };
  print(line, result, `${result.entries} ${result.entries === 1 ? 'entry' : 'entries'}`);
  return result.entries > 0 ? 0 : 1;
}

/** `peerage plugins enable|disable ID`: edits plugins.json, keeping its comments. */
export async function plugins(
  line: CommandLine,
  verb: string,
  id: string | undefined,
): Promise<number> {
  if (verb !== 'enable' && verb !== 'disable') throw usage(`plugins ${verb} is not known`);
  if (id === undefined) throw usage('which plugin?');
  const file = line.configurationFile;
  if (file === undefined) {
    throw new CodedError('E_CONFIG_UNREADABLE', 'there is no plugins.json', {
      action: 'name one with --config',
    });
  }
  const text = await readFile(file, 'utf8');
  const { plugins: known } = parseConfiguration(text, file);
  if (known[id] === undefined) {
    const near = nearest(id, Object.keys(known));
    const hint = near === undefined ? '' : `; did you mean "${near}"?`;
    throw new CodedError('E_PLUGIN_UNKNOWN', `${file} has no plugin "${id}"${hint}`);
  }
  const enabled = verb === 'enable';
  const edits = modify(text, ['plugins', id, 'enabled'], enabled, {
    formattingOptions: { insertSpaces: true, tabSize: 2 },
  });
  await writeFile(`${file}.new`, applyEdits(text, edits));
  await rename(`${file}.new`, file);
  print(
    line,
    { id, enabled, file },
    `${id} ${verb}d in ${file}; it takes effect when the node is restarted`,
  );
  return 0;
}

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
