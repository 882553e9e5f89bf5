/** The other targets: a plain file with a program that is told, and Suricata's rules. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { compile } from '@peerage/firewall/compile.js';
import { FileTarget } from '@peerage/firewall/file-target.js';
import { useScratch } from '../../fakes/scratch.js';
import { FakeLan } from '../../update-agent/fake-lan.js';
import { FirewallNode, source } from './node.js';
import { ManifestPrograms } from './programs.js';
import { sourceList } from './rig.js';

const done = { exitCode: 0, stdout: '', stderr: '' };
const failed = (stderr: string) => ({ exitCode: 1, stdout: '', stderr });

describe('firewall: the set as a plain file', () => {
  const scratch = useScratch();
  const blocks = (text: string) => compile([sourceList('own', text)], []);

  function target(command = true) {
    const path = join(scratch(), 'blocked.netset');
    mkdirSync(dirname(path), { recursive: true });
    const programs = new ManifestPrograms();
    const attribution = () => ['own: http://lists.test/'];
    return { path, programs, file: new FileTarget({ path, command, programs, attribution }) };
  }

  it('names its version and whose data it is, and tells the program', async () => {
    const { path, programs, file } = target();
    const told: string[] = [];
    programs.instead.set('list-changed', ({ list = '' }) => {
      told.push(readFileSync(list, 'utf8'));
      return done;
    });
    const set = blocks('192.0.2.0/24\n2001:db8::1\n');
    assert.equal(await file.holds(), undefined);
    await file.put(set);
    const text = `# version ${set.version}\n# own: http://lists.test/\n192.0.2.0/24\n2001:db8::1\n`;
    assert.equal(readFileSync(path, 'utf8'), text);
    assert.deepEqual(told, [text]);
    assert.equal(await file.holds(), set.version);
  });

  it('is as it was when the program fails', async () => {
    const { path, programs, file } = target();
    programs.instead.set('list-changed', () => done);
    await file.put(blocks('192.0.2.1\n'));
    const before = readFileSync(path, 'utf8');
    programs.instead.set('list-changed', () => failed('no such set'));
    await assert.rejects(file.put(blocks('192.0.2.2\n')), /ended with 1: no such set/);
    assert.equal(readFileSync(path, 'utf8'), before);
  });

  it('says so when it cannot be written', async () => {
    const { programs } = target();
    const path = join(scratch(), 'nowhere', 'blocked');
    const file = new FileTarget({ path, command: false, programs, attribution: () => [] });
    await assert.rejects(file.put(blocks('192.0.2.1\n')), { code: 'E_LIST_UNWRITABLE' });
  });
});

interface Member {
  readonly name: string;
  readonly text: string;
  readonly type?: string;
}

/** A tar archive of plain files, as tar writes it. */
function archive(members: readonly Member[]): Buffer {
  const blocks = members.flatMap(({ name, text, type = '0' }) => {
    const header = Buffer.alloc(512);
    const body = Buffer.from(text);
    header.write(name, 0);
    header.write(`${body.length.toString(8).padStart(11, '0')}\0`, 124);
    header.write(' '.repeat(8), 148);
    header.write(type, 156);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
    return [header, body, Buffer.alloc((512 - (body.length % 512)) % 512)];
  });
  return gzipSync(Buffer.concat([...blocks, Buffer.alloc(1024)]));
}

const RULES = 'alert tcp any any -> any any (msg:"a"; sid:1;)\n';
const GOOD: readonly Member[] = [
  { name: 'rules/', text: '', type: '5' },
  { name: 'rules/b.rules', text: `# comment\n${RULES}` },
  { name: 'rules/a.rules', text: `${RULES}# alert off\n` },
  { name: 'rules/../../etc/classification.config', text: 'config\n' },
  { name: 'rules/link.rules', text: '', type: '2' },
];

describe('firewall: Suricata', () => {
  const scratch = useScratch();
  const url = 'http://rules.test/emerging.rules.tar.gz';
  const settings = source({ name: 'et', format: 'suricata', url });
  let lan: FakeLan;
  beforeEach(() => {
    lan = new FakeLan();
  });

  function publish(packed: Buffer, md5 = createHash('md5').update(packed).digest('hex')): void {
    lan.origin.set(url, { body: packed });
    lan.origin.set(`${url}.md5`, { body: `${md5}\n` });
  }

  async function node(name: string, role: 'poll' | 'listen' = 'poll'): Promise<FirewallNode> {
    const directory = scratch();
    mkdirSync(directory);
    const one = new FirewallNode(lan, name, { directory, role, settings });
    for (const program of ['suricata-test', 'suricata-reload']) {
      one.programs.instead.set(program, () => done);
    }
    return one.start();
  }
  const rulesOf = (one: FirewallNode) => readFileSync(one.rules, 'utf8');
  const later = (one: FirewallNode) => {
    one.nowMs += 3_600_000;
  };

  it('gets archive and checksum as one version, on every node, from one download', async () => {
    publish(archive(GOOD));
    const [provider, other] = [await node('n1'), await node('n2', 'listen')];
    assert.equal(await provider.check(), 'updated');
    await other.check();
    const expected = `# et: a.rules\n${RULES}# alert off\n# et: b.rules\n# comment\n${RULES}`;
    for (const one of [provider, other]) {
      assert.equal(rulesOf(one), expected);
      assert.deepEqual(one.programs.ran, ['suricata-test', 'suricata-reload']);
    }
    assert.deepEqual(lan.asked, [`${url}.md5`, url]);
    later(provider);
    assert.equal(await provider.check(), 'unchanged');
    assert.deepEqual(lan.asked.slice(2), [`${url}.md5`]);
  });

  it('keeps the rules in force when its test refuses new ones, and says where', async () => {
    publish(archive(GOOD));
    const one = await node('n1');
    await one.check();
    const before = rulesOf(one);
    one.programs.instead.set('suricata-test', () => ({
      ...{ exitCode: 1, stdout: '' },
      stderr: 'Error: detect: error parsing signature "alert" from file x at line 5\n',
    }));
    publish(
      archive([
        { name: 'a.rules', text: RULES },
        { name: 'b.rules', text: `${RULES}alert\n` },
      ]),
    );
    later(one);
    const why = await one.check();
    assert.match(why, /^E_RULES_REFUSED: Suricata refused et: b\.rules, line 2: Error: detect/);
    assert.equal(rulesOf(one), before);
    assert.equal(existsSync(`${one.rules}.test`), false);
  });

  it('puts the rules back when the reload fails', async () => {
    publish(archive(GOOD));
    const one = await node('n1');
    one.programs.instead.set('suricata-reload', () => failed('no socket'));
    assert.match(await one.check(), /^E_RULES_REFUSED: Suricata refused the reload: no socket/);
    assert.equal(existsSync(one.rules), false);
  });

  const good = archive(GOOD);
  const bad: ReadonlyArray<readonly [string, Buffer, string | undefined, RegExp]> = [
    ['another checksum', good, '0'.repeat(32), /^E_RULES_INVALID: et: its MD5 is/],
    ['a checksum that is a page', good, '<html>', /what is beside it is not an MD5/],
    ['an archive that is cut off', good.subarray(0, 100), undefined, /cannot be unpacked/],
    ['an archive without its end', gzipSync(Buffer.alloc(700, 0)), undefined, /has 0 rules/],
    [
      'a header that is damaged',
      gzipSync(Buffer.alloc(2048, 65)),
      undefined,
      /a header is damaged/,
    ],
    ['too few rules', archive(GOOD.slice(0, 2)), undefined, /has 1 rules in 1 files/],
    ['what is no archive', Buffer.from('<html>'), undefined, /cannot be unpacked/],
    [
      'an archive that unpacks without end',
      gzipSync(Buffer.alloc(300 * 2 ** 20)),
      undefined,
      /unpacked/,
    ],
  ];
  for (const [what, packed, md5, why] of bad) {
    it(`refuses ${what}`, async () => {
      publish(packed, md5);
      const one = await node('n1');
      assert.match(await one.check(), why);
      assert.equal(existsSync(one.rules), false);
      assert.deepEqual(one.programs.ran, []);
    });
  }

  it('does not write rules again that are in force', async () => {
    publish(good);
    const one = await node('n1');
    await one.check();
    const again = new FirewallNode(lan, 'n1', { directory: dirname(one.rules), settings });
    await again.start();
    assert.deepEqual(again.programs.ran, []);
  });
});
