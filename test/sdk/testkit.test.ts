/** The test kit: what a plugin's author relies on instead of a network, a clock and an election. */
import assert from 'node:assert/strict';
import {
  CodedError,
  ElectionService,
  injectable,
  PeeringService,
  Plugin,
  PluginContext,
  type PluginManifest,
  ProgramService,
  Schedule,
  Storage,
} from '@peerage/sdk';
import { checkCompliance, TestLan } from '@peerage/testkit';
import UrlCachePlugin from '@peerage/url-cache';

const URL_A = 'https://a.example/list';

const MANIFEST: PluginManifest = {
  api: 1,
  id: 'demo',
  displayName: 'Demo',
  urls: ['https://a.example/*'],
  publishes: ['demo:*'],
  election: 'own',
  activation: ['start'],
  settings: { type: 'object', properties: { everyMs: { type: 'integer', default: 60_000 } } },
  permissions: { programs: [{ name: 'scan', command: 'scanner', arguments: ['--file={path}'] }] },
};

@injectable()
class Demo extends Plugin {
  runs = 0;

  constructor(
    readonly peering: PeeringService,
    readonly election: ElectionService,
    readonly schedule: Schedule,
    readonly storage: Storage,
    readonly programs: ProgramService,
    readonly context: PluginContext<{ everyMs: number }>,
  ) {
    super();
  }

  override async activate(): Promise<void> {
    const { subscriptions, log, settings } = this.context;
    subscriptions.push(
      await this.election.onChange(({ provider }) => log.info('provider', { ...provider })),
      await this.peering.onAnnouncement(({ name, from }) => log.info('heard', { name, from })),
      this.schedule.plan({
        name: 'count',
        run: async () => {
          this.runs += 1;
        },
        atStart: [{ delayMs: 1000 }],
        afterSuccessMs: settings.everyMs,
        afterFailureMs: 1000,
      }),
    );
  }
}

/** The plugin that runs on a node of that name. */
async function start(lan: TestLan, name: string): Promise<Demo> {
  let made: Demo | undefined;
  @injectable()
  class Kept extends Demo {
    constructor(
      peering: PeeringService,
      election: ElectionService,
      schedule: Schedule,
      storage: Storage,
      programs: ProgramService,
      context: PluginContext<{ everyMs: number }>,
    ) {
      super(peering, election, schedule, storage, programs, context);
      made = this;
    }
  }
  await lan.node(name).start(Kept, { manifest: MANIFEST });
  assert.ok(made !== undefined);
  return made;
}

const sourceOf = async (demo: Demo, url: string) => (await demo.peering.open({ url })).source;
const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'none',
    (error: unknown) => (error as CodedError).code,
  );

describe('a LAN in memory', () => {
  it('brings a URL from the own store, a peer or the origin, as far as the nodes reach', async () => {
    const lan = new TestLan();
    lan.origin.serve(URL_A, 'bytes', { lifetimeMs: 5000 });
    const [one, two] = [await start(lan, 'one'), await start(lan, 'two')];
    assert.deepEqual([await sourceOf(one, URL_A), await sourceOf(one, URL_A)], ['origin', 'hit']);
    assert.equal((await two.peering.find({ url: URL_A }))?.node, 'one');
    lan.partition(['one'], ['two']);
    assert.equal(await two.peering.find({ url: URL_A }), undefined);
    lan.partition();
    assert.equal(await sourceOf(two, URL_A), 'peer');
    await lan.clock.advance(6000);
    assert.equal(await sourceOf(two, URL_A), 'origin', 'it is stale by now');
    assert.equal(lan.origin.requests.length, 2);
    lan.node('one').internet = false;
    lan.partition(['one'], ['two']);
    assert.equal(await codeOf(sourceOf(one, URL_A)), 'E_NO_INTERNET');
    assert.equal(await codeOf(sourceOf(one, 'https://b.example/')), 'E_URL_NOT_GRANTED');
    await lan.end();
  });

  it('shares what was published, and carries announcements, to those who are reached', async () => {
    const lan = new TestLan();
    const [one, two] = [await start(lan, 'one'), await start(lan, 'two')];
    const { sha256 } = await one.peering.publish({
      uri: 'demo:list',
      body: Buffer.from('mine'),
      lifetimeMs: 1000,
    });
    const got = await two.peering.open({ url: 'demo:list' });
    assert.deepEqual([got.source, got.sha256], ['peer', sha256]);
    assert.equal(await codeOf(sourceOf(two, 'demo:other')), 'E_NOT_PUBLISHED');
    await one.peering.announce('news', { version: '2' });
    await lan.clock.settle();
    const heard = lan.node('two').plugins[0]?.said('heard');
    assert.deepEqual(heard?.[0]?.fields, { name: 'news', from: 'one' });
    assert.equal(lan.node('one').plugins[0]?.said('heard').length, 0, 'not its own');
    await lan.end();
  });

  it('elects whom the test wants, and loses it with the partition', async () => {
    const lan = new TestLan();
    const [one, two] = [await start(lan, 'one'), await start(lan, 'two')];
    assert.equal(await one.election.provider(), undefined);
    lan.elect('demo', 'one');
    assert.deepEqual(await one.election.provider(), { node: 'one', isSelf: true });
    assert.deepEqual(await two.election.provider(), { node: 'one', isSelf: false });
    lan.partition(['one'], ['two']);
    assert.equal(await two.election.provider(), undefined);
    lan.partition();
    await one.election.resign();
    assert.equal(await two.election.provider(), undefined);
    await lan.clock.settle();
    assert.ok((lan.node('two').plugins[0]?.said('provider').length ?? 0) >= 4);
    await lan.end();
  });

  it('runs jobs when the clock comes to them', async () => {
    const lan = new TestLan();
    const one = await start(lan, 'one');
    await lan.clock.advance(999);
    assert.equal(one.runs, 0);
    await lan.clock.advance(1);
    assert.equal(one.runs, 1);
    await lan.clock.advance(180_000);
    assert.equal(one.runs, 4);
    await lan.end();
    await lan.clock.advance(600_000);
    assert.equal(one.runs, 4);
  });

  it('keeps values, and runs the programs that the test put there', async () => {
    const lan = new TestLan();
    const one = await start(lan, 'one');
    await one.storage.set('state', { version: 3 });
    assert.deepEqual(await one.storage.get('state'), { version: 3 });
    assert.deepEqual(await one.storage.keys(), ['state']);
    assert.equal(await codeOf(one.programs.run('scan', { path: 'x' })), 'E_PROGRAM_MISSING');
    lan.node('one').programs.set('scanner', (args) => ({ stdout: args.join(' '), exitCode: 1 }));
    const { stdout, exitCode } = await one.programs.run('scan', { path: 'x' });
    assert.deepEqual([stdout, exitCode], ['--file=x', 1]);
    assert.equal(await codeOf(one.programs.run('scan', { path: '-x' })), 'E_PROGRAM_VALUE');
    assert.equal(await codeOf(one.programs.run('rm', {})), 'E_PROGRAM_NOT_GRANTED');
    await lan.end();
  });
});

describe('the rules that every plugin keeps', () => {
  it('are kept by this one, and by the URL cache', async () => {
    await checkCompliance(Demo, { manifest: MANIFEST });
    const manifest = new URL('../package.json', import.meta.resolve('@peerage/url-cache'));
    const settings = { listen: { address: '127.0.0.1', port: 0 } };
    const results = await checkCompliance(UrlCachePlugin as never, { manifest, settings });
    assert.equal(results.length, 5);
  });

  it('are told apart from what breaks them', async () => {
    @injectable()
    class Leaking extends Plugin {
      constructor(readonly peering: PeeringService) {
        super();
      }

      override async activate(): Promise<void> {
        await this.peering.onAnnouncement(() => undefined);
      }
    }
    @injectable()
    class Greedy extends Plugin {
      constructor(readonly peering: PeeringService) {
        super();
      }

      override async activate(): Promise<void> {
        await this.peering.open({ url: URL_A });
      }
    }
    const breaks = (plugin: typeof Leaking, says: RegExp) =>
      assert.rejects(checkCompliance(plugin, { manifest: MANIFEST }), (error: CodedError) => {
        assert.equal(error.code, 'E_PLUGIN_COMPLIANCE');
        assert.match(error.message, says);
        return true;
      });
    await breaks(Leaking, /not disposed of/);
    await breaks(Greedy, /nothing is granted.*may not use/);
  });
});
