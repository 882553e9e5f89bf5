/**
 * No packet survives a change (§2.3): every byte of a sample of every type is changed in several
 * ways, taken out, doubled and put in, and the packets are cut and joined; none is accepted and
 * none throws. The opener knows the sender and gives each mutant a fresh budget.
 */
import { equal, ok } from 'node:assert/strict';
import { SeededRandom } from '@peerage/core/base/random.js';
import {
  MESSAGES,
  makeStage,
  ON_LINK,
  openerFor,
  outcome,
  SENDER_ADDRESS,
  sealed,
  sealerFor,
  WALL_MS,
} from './stage.js';

const { sender, receiver, keyring } = makeStage();

/** Counts the outcomes of mutants; each comes a second after the one before. */
class Mutants {
  private readonly opener = openerFor(receiver, keyring);
  private now = 0;
  readonly outcomes = new Map<string, number>();

  try(bytes: Buffer, original: Buffer, what: string): void {
    if (bytes.equals(original)) return;
    this.now += 1000;
    const result = outcome(this.opener.open(bytes, ON_LINK, this.now, WALL_MS));
    ok(result !== 'ok', `${what} was accepted: ${bytes.toString('latin1')}`);
    this.outcomes.set(result, (this.outcomes.get(result) ?? 0) + 1);
  }

  /** At the end the unchanged packet still passes: no mutant used up its number. */
  end(original: Buffer): void {
    equal(outcome(this.opener.open(original, ON_LINK, this.now + 1000, WALL_MS)), 'ok');
    equal(this.outcomes.get('budget'), undefined);
    ok((this.outcomes.get('signature') ?? 0) > 20);
  }
}

describe('a changed packet is never accepted', () => {
  for (const [name, message] of Object.entries(MESSAGES)) {
    it(`${name}: every byte set to other values`, () => {
      const original = sealed(sender, message);
      const random = new SeededRandom(original.length).fork(name);
      const mutants = new Mutants();
      for (let at = 0; at < original.length; at += 1) {
        const byte = original[at] ?? 0;
        const values = [
          byte + 1,
          byte ^ 1,
          byte ^ 0x20,
          byte ^ 0x80,
          0,
          0x22,
          random.uint32() & 0xff,
        ];
        for (const value of values) {
          const mutant = Buffer.from(original);
          mutant[at] = value & 0xff;
          mutants.try(mutant, original, `byte ${at} = ${value}`);
        }
      }
      mutants.end(original);
    });

    it(`${name}: every byte taken out, doubled, moved; cut and joined at every place`, () => {
      const original = sealed(sender, message);
      const mutants = new Mutants();
      for (let at = 0; at < original.length; at += 1) {
        const before = original.subarray(0, at);
        const after = original.subarray(at + 1);
        const byte = original.subarray(at, at + 1);
        const next = original.subarray(at + 1, at + 2);
        const rest = original.subarray(at + 2);
        mutants.try(Buffer.concat([before, after]), original, `without byte ${at}`);
        mutants.try(Buffer.concat([before, byte, byte, after]), original, `byte ${at} twice`);
        mutants.try(Buffer.concat([before, next, byte, rest]), original, `byte ${at} moved`);
        mutants.try(before, original, `only ${at} bytes`);
        mutants.try(original.subarray(at + 1), original, `only after byte ${at}`);
      }
      mutants.end(original);
    });
  }

  it('attributes of two packets of the same sender cannot be put together', () => {
    const sealer = sealerFor(sender);
    const texts = Object.values(MESSAGES).map((message) => {
      return `${sealer.seal(message, SENDER_ADDRESS, WALL_MS, false)}`;
    });
    const random = new SeededRandom(77);
    const opener = openerFor(receiver, keyring);
    const pick = <T>(list: readonly T[]): T => {
      const item = list[random.uint32() % list.length];
      if (item === undefined) throw new Error('an empty list');
      return item;
    };
    for (let round = 0; round < 5000; round += 1) {
      const [one, two] = [pick(texts), pick(texts)];
      const foreign = pick(two.match(/[A-Za-z-]+="[^"]*"/g) ?? []);
      const own = pick(one.match(/[A-Za-z-]+="[^"]*"/g) ?? []);
      const spliced = Buffer.from(one.replace(own, () => foreign));
      if (texts.includes(spliced.toString())) continue;
      const result = outcome(opener.open(spliced, ON_LINK, round * 1000, WALL_MS));
      ok(result !== 'ok', spliced.toString());
    }
  });
});
