/** The server's life and the beacons, sentence by sentence (PROTOCOL §3, §2.6). */
import assert from 'node:assert/strict';
import { truncatedExponentialMs } from '@peerage/core/protocol/timing.js';
import { COPY, hello, messages, request, Stage } from './stage.js';

const HOLDING = { copies: { find: () => COPY, downloading: () => undefined } };

describe('the server (§3)', () => {
  it('is silent about what it does not have, but says "none" to a directed request (§3.1)', () => {
    const stage = new Stage().started('p');
    assert.deepEqual(stage.hear('p', request()), []);
    const [none] = messages(stage.hear('p', request({ to: 'me' })), 'response');
    assert.ok(none !== undefined && none.copy === undefined && none.to === 'p');
  });

  it('answers a directed request at once (§4.2)', () => {
    const stage = new Stage(HOLDING).started('p');
    const [have] = messages(stage.hear('p', request({ to: 'me' })), 'response');
    assert.deepEqual(have?.copy, COPY);
  });

  it('waits a response delay within the window of the packet, and answers to the requester alone (§3.2, §3.3)', () => {
    const stage = new Stage(HOLDING).started('p');
    const start = stage.now;
    assert.deepEqual(stage.hear('p', request()), []);
    const [said] = stage.pass(10).filter(({ effect }) => effect.kind === 'send');
    assert.ok(said !== undefined && said.at - start > 0 && said.at - start <= 10);
  });

  it('cancels when it hears "I found" before its delay is over (§3.3)', () => {
    const stage = new Stage(HOLDING).started('p');
    stage.hear('p', request());
    stage.hear('p', { type: 'end-request', service: 'test', id: 1, source: 'q' });
    assert.deepEqual(
      stage.pass(100).map(({ effect }) => effect),
      [],
    );
    assert.equal(stage.peer.counters.get('responses-suppressed'), 1);
  });

  it('says nothing to a request whose "I found" overtook it (§3.3)', () => {
    const stage = new Stage(HOLDING).started('p');
    stage.hear('p', { type: 'end-request', service: 'test', id: 1, source: 'q' });
    stage.hear('p', request());
    assert.deepEqual(stage.pass(100), []);
    const [have] = messages(stage.hear('p', request({ to: 'me' })), 'response');
    assert.deepEqual(have?.copy, COPY);
  });

  it('repeats its answer once after 6 ms without "I found", never more (§4.4)', () => {
    const stage = new Stage(HOLDING).started('p');
    stage.hear('p', request());
    const said = stage.pass(200).filter(({ effect }) => effect.kind === 'send');
    assert.equal(said.length, 2);
    assert.ok(Math.abs((said[1]?.at ?? 0) - (said[0]?.at ?? 0) - 6) < 1e-6);
  });

  it('answers a repeated request no second time', () => {
    const stage = new Stage(HOLDING).started('p');
    stage.hear('p', request());
    stage.pass(30);
    stage.hear('p', request());
    assert.deepEqual(stage.pass(200), []);
  });

  it('obeys a classic request: uniform delay, one answer (§1.4)', () => {
    const stage = new Stage(HOLDING).started('p');
    stage.hear('p', request({ delay: { distribution: 'uniform', windowMs: 2000, peers: 1 } }));
    const said = stage.pass(3000).filter(({ effect }) => effect.kind === 'send');
    assert.equal(said.length, 1);
  });

  it('tells a requester that it is downloading the resource itself (§3.4)', () => {
    const downloading = () => ({ receivedBytes: 3, totalBytes: 9, bytesPerSecond: 2 });
    const stage = new Stage({ copies: { find: () => undefined, downloading } }).started('p');
    stage.want();
    stage.pass(100);
    const [progress] = messages(stage.hear('p', request()), 'progress');
    assert.deepEqual([progress?.receivedBytes, progress?.totalBytes, progress?.to], [3, 9, 'p']);
    assert.equal(
      messages(stage.hear('p', request({ href: 'http://origin.test/x' })), 'progress').length,
      0,
    );
  });

  it('never answers in the client role (§1.3)', () => {
    const stage = new Stage({ ...HOLDING, server: false }).started('p');
    assert.deepEqual(stage.hear('p', request({ to: 'me' })), []);
    assert.deepEqual(stage.hear('p', request()), []);
  });

  it('broadcasts its answer where the setting says so (§3.3)', () => {
    const stage = new Stage({ ...HOLDING, broadcastResponses: true }).started('p');
    stage.hear('p', request());
    assert.equal(stage.pass(11)[0]?.effect.kind, 'broadcast');
  });

  it('bounds its answers: a flood of requests pushes out the oldest', () => {
    const stage = new Stage(HOLDING).started('p');
    for (let id = 0; id < 10_000; id += 1)
      stage.hear(
        'p',
        request({ id, delay: { distribution: 'uniform', windowMs: 2000, peers: 1 } }),
      );
    const said = stage.pass(2100).filter(({ effect }) => effect.kind === 'send');
    assert.equal(said.length, 4096);
  });
});

describe('the response delay (§4.4)', () => {
  it('lies within the window, is monotone in u, and is early for few only', () => {
    assert.equal(truncatedExponentialMs(0, 20, 100), 0);
    assert.ok(Math.abs(truncatedExponentialMs(1, 20, 100) - 20) < 1e-9);
    assert.ok(
      truncatedExponentialMs(0.5, 20, 100) > 15,
      'half of the holders wait three quarters of it',
    );
  });
});

describe('beacons (§2.6)', () => {
  it('begin with a hello and follow every 10 s, give or take a quarter', () => {
    const stage = new Stage();
    const [first] = messages(stage.peer.start(stage.now), 'hello');
    assert.equal(first?.starting, true);
    const beacons = stage
      .pass(60_000)
      .filter(({ effect }) => messages([effect], 'hello').length > 0);
    assert.ok(beacons.length >= 4 && beacons.length <= 8, String(beacons.length));
  });

  it('draw a directed welcome for a node that has just started, once', () => {
    const stage = new Stage().started();
    stage.hear('p', hello({ starting: true }));
    stage.hear('p', hello({ starting: true }));
    const welcomes = stage
      .pass(50)
      .filter(({ effect }) => effect.kind === 'send' && messages([effect], 'hello')[0]?.to === 'p');
    assert.equal(welcomes.length, 1);
  });

  it('let a peer die after three intervals of silence, and at once after its bye', () => {
    const stage = new Stage().started('p', 'qq');
    stage.hear('qq', { type: 'bye' });
    assert.equal(stage.peer.members.size, 1);
    stage.pass(50_000);
    assert.equal(stage.peer.members.size, 0);
  });

  it('take a renewed key under the same name for the same node', () => {
    const stage = new Stage().started('p');
    const from = { kid: 'new-key', name: 'name-of-p', boot: 'b', address: '10.0.0.9', port: 1 };
    stage.peer.receive(stage.now, { from, message: hello() });
    assert.deepEqual(
      [...stage.peer.members.values()].map(({ kid }) => kid),
      ['new-key'],
    );
  });
});
