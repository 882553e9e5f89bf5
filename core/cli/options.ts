/** The command line: one grammar for all commands, checked before anything is done. */

import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { CodedError } from '@peerage/sdk';
import { defaultStateDirectory } from './state-directory.js';

export interface CommandLine {
  readonly words: readonly string[];
  readonly json: boolean;
  readonly help: boolean;
  readonly version: boolean;
  readonly stateDirectory: string;
  /** The plugins.json named or found; `undefined` if there is none. */
  readonly configurationFile: string | undefined;
  readonly outputFile: string | undefined;
  readonly sha256: string | undefined;
  readonly name: string | undefined;
  readonly group: string | undefined;
  readonly days: string | undefined;
  readonly ttl: string | undefined;
  readonly passphraseFile: string | undefined;
  /** With setup: change the files, or change them back. */
  readonly write: boolean;
  readonly undo: boolean;
  readonly file: string | undefined;
  readonly mirrorPort: number | undefined;
  /** With service install: the client ports stay open through a restart. */
  readonly sockets: boolean;
  /** With ca retire and revoke: although it is asked whether that is right. */
  readonly force: boolean;
}

export const USAGE = `peerage: a LAN fetches each thing from the Internet once, and shares it

  peerage start                    run a node in the foreground
  peerage get URL [-o FILE]        get a URL through the running node
  peerage status | peers | downloads
  peerage why [URL]                why it was answered as it was; without URL: the last requests
  peerage elections                which machine provides what, its backup, and why
  peerage elections start | resign [SERVICE]
  peerage elections pin | unpin | exclude | include NODE [SERVICE]
  peerage cache list | pin URL | unpin URL | purge URL
  peerage serving on | off
  peerage plugins list | enable ID | disable ID | restart ID | reload
  peerage plugins validate | why URL      judge plugins.json; which plugin serves a URL, and why
  peerage create-plugin DIR | dev DIR     begin a plugin; run it, started anew at every save
  peerage PLUGIN [COMMAND …]       the commands that a plugin adds
  peerage doctor                   look at network, node and clients; say what to do
  peerage setup apt|npm|pip|freshclam|env   show what the client needs to ask this machine's cache;
                                   --write writes it, --undo takes it back
  peerage service install | uninstall   run the node as a hardened systemd service; --sockets keeps
                                   the cache's ports open while it is restarted
  peerage ca init [--group NAME]   make a group's CA on this machine, and join this machine to it
  peerage ca token --name NAME     one line that lets one machine join under that name
  peerage join HOST[:PORT] TOKEN          join the group of that line; HOST has the CA (TOKEN -: from input)
  peerage ca list | revoke NAME    certificates and open tokens; put a machine out of the group
                                   for good (--force: a name that was not given here)
  peerage ca rotate | retire       a new CA follows; the one before is believed no more (--force)
  peerage ca issue NAME --out FILE make another machine's identity (its STATE/identity.pem)

  --json           print JSON
  --state DIR      the node's state directory      (or PEERAGE_STATE)
  --config FILE    its plugins.json                (or PEERAGE_CONFIG)
  --sha256 HEX     with get: the bytes' digest; peers may then serve http: URLs too
  --name NAME      this node's name, with ca init  (default: the host's name), or a token's
  --ttl TIME       how long a token is good: 30s, 10m, 1h, 2d   (default: 1h)
  --passphrase-file FILE  of the CA's key: with ca init, issue, revoke, rotate, retire, and start
  --days N         how long a certificate is good  (default: 30)
`;

/** @throws CodedError `E_USAGE` */
export function parseCommandLine(argv: readonly string[]): CommandLine {
  try {
    const { values, positionals } = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
        version: { type: 'boolean', default: false },
        state: { type: 'string' },
        config: { type: 'string' },
        output: { type: 'string', short: 'o' },
        out: { type: 'string' },
        sha256: { type: 'string' },
        name: { type: 'string' },
        group: { type: 'string' },
        days: { type: 'string' },
        ttl: { type: 'string' },
        'passphrase-file': { type: 'string' },
        write: { type: 'boolean', default: false },
        undo: { type: 'boolean', default: false },
        file: { type: 'string' },
        mirror: { type: 'string' },
        force: { type: 'boolean', default: false },
        sockets: { type: 'boolean', default: false },
      },
    });
    const stateDirectory =
      values.state === undefined ? defaultStateDirectory() : resolve(values.state);
    return {
      words: positionals,
      json: values.json,
      help: values.help,
      version: values.version,
      stateDirectory,
      configurationFile: findConfiguration(values.config, stateDirectory),
      outputFile: values.output ?? values.out,
      sha256: values.sha256,
      name: values.name,
      group: values.group,
      days: values.days,
      ttl: values.ttl,
      passphraseFile: values['passphrase-file'],
      write: values.write,
      undo: values.undo,
      file: values.file === undefined ? undefined : resolve(values.file),
      force: values.force,
      sockets: values.sockets,
      mirrorPort: values.mirror === undefined ? undefined : Number(values.mirror),
    };
  } catch (cause) {
    const why = (cause instanceof Error ? cause.message : String(cause)).replace(/\s*\n\s*/g, ' ');
    throw new CodedError('E_USAGE', why, { action: 'see `peerage --help`', cause });
  }
}

/** The file named, else plugins.json of the state directory, else of the current one. */
function findConfiguration(named: string | undefined, stateDirectory: string): string | undefined {
  const chosen = named ?? process.env['PEERAGE_CONFIG'];
  if (chosen !== undefined) return resolve(chosen);
  const candidates = [join(stateDirectory, 'plugins.json'), resolve('plugins.json')];
  return candidates.find((file) => existsSync(file));
}
