/**
 * Programs that attack, or that call like a member, started on a host of the LAN: told what to do by
 * one JSON file, they print one JSON line of what they saw.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Command, succeeded } from '../command.js';
import type { Place } from '../place.js';

const DEADLINE_MS = 240_000;
let orders = 0;

export interface Launched<Result> {
  readonly program: Command;
  /** What it saw, when it has ended by itself. */
  readonly result: Promise<Result>;
}

/** Starts `attack/<program>.js` on a host. */
export function launch<Result>(place: Place, program: string, order: object): Launched<Result> {
  orders += 1;
  const file = join(place.directory, `order-${orders}.json`);
  writeFileSync(file, JSON.stringify(order));
  const path = fileURLToPath(new URL(`./${program}.js`, import.meta.url));
  const command = place.spawn(process.execPath, [path, file]);
  const result = command.within(DEADLINE_MS).then((finished) => {
    const { stdout } = succeeded(`${program} on ${place.name}`, finished);
    return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Result;
  });
  return { program: command, result };
}
