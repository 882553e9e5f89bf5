/**
 * A binary heap of events ordered by time, then by order of insertion, so that runs reproduce. Times
 * lie side by side as numbers: comparing them touches no other object.
 */
export class EventHeap {
  private readonly times: number[] = [];
  private readonly orders: number[] = [];
  private readonly events: Array<() => void> = [];
  private inserted = 0;

  get size(): number {
    return this.times.length;
  }

  /** When the next event is due; `undefined` if there is none. */
  get nextAt(): number | undefined {
    return this.times[0];
  }

  push(at: number, run: () => void): void {
    this.inserted += 1;
    let hole = this.times.length;
    while (hole > 0) {
      const parent = (hole - 1) >> 1;
      if (!this.isBefore(at, this.inserted, parent)) break;
      this.move(parent, hole);
      hole = parent;
    }
    this.put(hole, at, this.inserted, run);
  }

  /** Takes the next event out. */
  pop(): (() => void) | undefined {
    const first = this.events[0];
    const [at, order, run] = [this.times.pop(), this.orders.pop(), this.events.pop()];
    const size = this.times.length;
    if (at === undefined || order === undefined || run === undefined || size === 0) return first;
    let hole = 0;
    for (let child = 1; child < size; child = 2 * hole + 1) {
      if (child + 1 < size && this.isBeforeOther(child + 1, child)) child += 1;
      if (this.isBefore(at, order, child)) break;
      this.move(child, hole);
      hole = child;
    }
    this.put(hole, at, order, run);
    return first;
  }

  private isBefore(at: number, order: number, index: number): boolean {
    const other = this.times[index] ?? Infinity;
    return at < other || (at === other && order < (this.orders[index] ?? Infinity));
  }

  private isBeforeOther(one: number, other: number): boolean {
    return this.isBefore(this.times[one] ?? Infinity, this.orders[one] ?? Infinity, other);
  }

  private move(from: number, to: number): void {
    this.put(to, this.times[from] ?? 0, this.orders[from] ?? 0, this.events[from] ?? nothing);
  }

  private put(index: number, at: number, order: number, run: () => void): void {
    this.times[index] = at;
    this.orders[index] = order;
    this.events[index] = run;
  }
}

const nothing = () => undefined;
