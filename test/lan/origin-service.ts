/**
 * The origin as scenarios use it: started on a host, asked for its counts, reset.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Command, succeeded } from './command.js';
import type { Counts } from './counts.js';
import { ORIGIN_NAME } from './lan.js';
import { missingForLan } from './namespaces.js';
import type { Place } from './place.js';
import { missingTools } from './tools.js';

const PROGRAM = fileURLToPath(new URL('./origin.js', import.meta.url));
/** A node process on a busy machine has started by then, in milliseconds. */
const START_DEADLINE_MS = 20_000;

/** Why there can be no LAN with an origin here, `undefined` if there can. */
export function missingForOrigin(): string | undefined {
  return missingForLan() ?? missingTools(['curl', 'openssl']);
}

export interface OriginOptions {
  /** What it serves besides made content. */
  readonly directory?: string;
  /** Whether it serves https as well, with a certificate of its own. */
  readonly tls?: boolean;
}

export class OriginService {
  /** For hosts of the LAN, which know the origin by name. */
  readonly url = `http://${ORIGIN_NAME}`;
  readonly tlsUrl = `https://${ORIGIN_NAME}`;
  /** The certificate that clients of `tlsUrl` must trust, once there is one. */
  readonly certificateFile: string;
  readonly #place: Place;
  readonly #program: Command;

  private constructor(place: Place, program: Command) {
    this.#place = place;
    this.#program = program;
    this.certificateFile = certificateFile(place);
  }

  static async start(place: Place, options: OriginOptions = {}): Promise<OriginService> {
    const args = [PROGRAM, '--address', place.address, '--port', '80'];
    if (options.directory !== undefined) args.push('--directory', options.directory);
    if (options.tls === true) args.push(...(await tlsArguments(place)));
    const program = place.spawn(process.execPath, args);
    await program.line('the origin listens', START_DEADLINE_MS, (line) =>
      line.includes('"listening"') ? true : undefined,
    );
    return new OriginService(place, program);
  }

  counts(): Promise<Counts> {
    return this.#control('/__counts', []);
  }

  /** The counts up to now, which begin at nothing again. */
  reset(): Promise<Counts> {
    return this.#control('/__counts', ['--request', 'POST']);
  }

  async stop(): Promise<void> {
    await this.#program.stop();
  }

  /** Asked on the origin's own host, so it takes nothing of the line. */
  async #control(path: string, options: readonly string[]): Promise<Counts> {
    const url = `http://${this.#place.address}${path}`;
    const asked = await this.#place.run('curl', ['-sS', '--fail', ...options, url]);
    return JSON.parse(succeeded('the counts of the origin', asked).stdout) as Counts;
  }
}

function certificateFile(place: Place): string {
  return join(place.directory, 'origin.crt');
}

/** Makes a certificate for the origin's name and address that is its own authority. */
async function tlsArguments(place: Place): Promise<string[]> {
  const key = join(place.directory, 'origin.key');
  const certificate = certificateFile(place);
  if (!existsSync(certificate)) {
    const names = `subjectAltName=DNS:${ORIGIN_NAME},IP:${place.address}`;
    const make = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2';
    const files = ['-keyout', key, '-out', certificate];
    const subject = ['-subj', `/CN=${ORIGIN_NAME}`, '-addext', names];
    succeeded(
      'the certificate of the origin',
      await place.run('openssl', [...make.split(' '), ...files, ...subject]),
    );
  }
  return ['--tls-port', '443', '--key', key, '--certificate', certificate];
}
