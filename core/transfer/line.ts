/**
 * Those who asked this node for one object or flight, in the order in which they came: the first
 * few get it from us, each later one is sent to an earlier one (PROTOCOL §6.4).
 *
 * With a fan-out of k, newcomer number i is best served by number ⌊i/k⌋ − 1: the others before him
 * have their k already, so two requests bring everybody to his place, in a tree whose depth is
 * log k of the crowd (a chain for k = 1). Invariants: nobody is ever sent to one who came later, so
 * no two wait for each other; a line is at most {@link LINE_MAX} long.
 */
import { BoundedMap } from '../base/bounded.js';
import type { Relay } from './peer-body.js';

/** Places remembered; of a longer line the oldest are forgotten. */
const LINE_MAX = 256;
/** Relays named at once. */
const NAMED_MAX = 16;

export class Line {
  private readonly fanOut: number;
  private readonly places = new BoundedMap<string, Relay>(LINE_MAX);
  /** Bodies that each one is being sent. */
  private readonly taking = new Map<string, number>();
  /** Those whose body broke off: of no use to others until they come again. */
  private readonly gone = new Set<string>();

  constructor(fanOut: number) {
    this.fanOut = fanOut;
  }

  /** Nobody is being served any more. */
  get idle(): boolean {
    return this.taking.size === 0;
  }

  /**
   * Takes a newcomer in; one who comes again keeps his place.
   * @returns whom to ask instead, best first; `undefined` if he is to be served here
   */
  join(newcomer: Relay): readonly Relay[] | undefined {
    const { kid } = newcomer;
    this.gone.delete(kid);
    if (!this.places.has(kid)) this.keep(newcomer);
    const places = [...this.places.values()];
    const place = places.findIndex((relay) => relay.kid === kid);
    const before = places.slice(0, place);
    if (this.taking.size < this.fanOut || before.length === 0) {
      this.taking.set(kid, (this.taking.get(kid) ?? 0) + 1);
      return undefined;
    }
    const best = Math.max(0, Math.floor(place / this.fanOut) - 1);
    const inOrder = [...before.slice(best), ...before.slice(0, best).reverse()];
    return inOrder.filter((relay) => !this.gone.has(relay.kid)).slice(0, NAMED_MAX);
  }

  /** His body has ended, or broke off. */
  leave(kid: string, served: boolean): void {
    const left = (this.taking.get(kid) ?? 0) - 1;
    if (left > 0) this.taking.set(kid, left);
    else this.taking.delete(kid);
    if (!served && this.places.has(kid)) this.gone.add(kid);
  }

  private keep(newcomer: Relay): void {
    const forgotten = this.places.set(newcomer.kid, newcomer);
    if (forgotten !== undefined) this.gone.delete(forgotten.kid);
  }
}
