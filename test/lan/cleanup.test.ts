/** That nothing of a LAN stays behind, whichever way it or its program ends. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Command } from './command.js';
import { Lan } from './lan.js';
import { missingForLan, namespacesNamed } from './namespaces.js';
import { skipIf } from './skip.js';
import { until } from './until.js';

const HOLDER = fileURLToPath(new URL('./lan-holder.js', import.meta.url));
const DEADLINE_MS = 20_000;

/** What bears a run's name: namespaces, their files, temporary directories. */
function leftovers(name: string): string[] {
  const files = [tmpdir(), '/etc/netns'].filter(existsSync).flatMap((path) => readdirSync(path));
  return [...namespacesNamed(name), ...files.filter((file) => file.startsWith(name))];
}

describe('the end of a LAN', () => {
  before(skipIf(missingForLan));

  it('leaves no namespace, file or process behind', async () => {
    const lan = Lan.create({ hosts: 2, internetRateKbit: 10_000 });
    const sleeper = lan.host(1).spawn('sh', ['-c', 'setsid sleep 600 & sleep 600']);
    assert.ok(namespacesNamed(lan.name).length > 0);
    lan.dispose();
    await sleeper.within(DEADLINE_MS);
    assert.deepEqual(leftovers(lan.name), []);
  });

  it('comes after a failure half-way through its making', () => {
    const standing = leftovers(`plab-${process.pid}-`);
    assert.throws(
      () => Lan.create({ hosts: 2, internetRateKbit: 10_000, linkRateKbit: Number.NaN }),
      (error: unknown) =>
        error instanceof Error && 'code' in error && error.code === 'E_LAB_COMMAND',
    );
    assert.deepEqual(leftovers(`plab-${process.pid}-`), standing);
  });

  for (const ending of ['throw', 'SIGTERM', 'SIGINT'] as const) {
    it(`comes when its program ends by ${ending}`, async () => {
      const { holder, name, pids } = await hold(ending === 'throw' ? 'throw' : 'wait');
      if (ending !== 'throw') holder.signal(ending);
      await holder.within(DEADLINE_MS);
      assert.deepEqual(leftovers(name), []);
      await ended(pids);
    });
  }

  it('is made up for by the next LAN when its program was killed', async () => {
    const { holder, name, pids } = await hold('wait');
    holder.signal('SIGKILL');
    await holder.finished;
    assert.ok(leftovers(name).length > 0);
    Lan.create({ hosts: 1, internetRateKbit: 10_000 }).dispose();
    assert.deepEqual(leftovers(name), []);
    await ended(pids);
  });
});

interface Held {
  readonly name: string;
  readonly pids: readonly number[];
}

/** Starts a program that holds a LAN of its own and a loopback place. */
async function hold(ending: string): Promise<Held & { readonly holder: Command }> {
  const holder = new Command(process.execPath, [HOLDER, ending], {});
  const held = await holder.line('its LAN stands', DEADLINE_MS, (line) =>
    line.startsWith('{') ? (JSON.parse(line) as Held) : undefined,
  );
  return { holder, ...held };
}

/** Killed processes need a moment to go; an ended one has no namespaces any more. */
async function ended(pids: readonly number[]): Promise<void> {
  assert.equal(pids.length, 2);
  await until(`processes ${pids} have ended`, DEADLINE_MS, () =>
    pids.some((pid) => existsSync(`/proc/${pid}/ns/net`)) ? undefined : true,
  );
}
