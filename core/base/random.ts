/**
 * Chance, passed in. The simulated world uses {@link SeededRandom}, so that a seed reproduces a run;
 * a real node uses the operating system's generator behind the same interface.
 */

export interface Random {
  /** Uniform in [0, 1). */
  fraction(): number;
  /** Uniform integer in [0, 2³²). */
  uint32(): number;
}

/** The 32-bit hash that turns a label into a seed (FNV-1a). */
function hashLabel(label: string, seed: number): number {
  let hash = (0x811c9dc5 ^ seed) >>> 0;
  for (let i = 0; i < label.length; i += 1) {
    hash = Math.imul(hash ^ label.charCodeAt(i), 0x01000193) >>> 0;
  }
  return hash;
}

/** A small fast generator (sfc32) that can be forked, so that nodes do not disturb each other. */
export class SeededRandom implements Random {
  private readonly seed: number;
  private a: number;
  private b: number;
  private c: number;
  private counter = 1;

  constructor(seed: number) {
    this.seed = seed >>> 0;
    this.a = hashLabel('a', this.seed);
    this.b = hashLabel('b', this.seed);
    this.c = hashLabel('c', this.seed);
    for (let i = 0; i < 12; i += 1) this.uint32();
  }

  uint32(): number {
    const sum = (this.a + this.b + this.counter) >>> 0;
    this.counter = (this.counter + 1) >>> 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) >>> 0;
    this.c = ((this.c << 21) | (this.c >>> 11)) >>> 0;
    this.c = (this.c + sum) >>> 0;
    return sum;
  }

  fraction(): number {
    return this.uint32() / 4294967296;
  }

  /** A generator of its own for `label`; the same label gives the same one. */
  fork(label: string): SeededRandom {
    return new SeededRandom(hashLabel(label, this.seed));
  }
}
