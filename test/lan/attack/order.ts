/** What an attacking program is told, and how it reports: the other end of `launch`. */
import { readFileSync } from 'node:fs';

/** The order that this program was started with. */
export function readOrder<Order>(): Order {
  return JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as Order;
}

export function report(result: object): void {
  process.stdout.write(`${JSON.stringify(result)}\n`);
}
