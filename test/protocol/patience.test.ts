/** A candidate that answers nothing (PROTOCOL §4.2): it is late or gone, and told apart by waiting. */
import assert from 'node:assert/strict';
import type { Progress, Request } from '@peerage/core/protocol/message.js';
import { hello, messages, request, Stage, WANT } from './stage.js';

const PATIENCE_MS = 200;

/** A stage that knows `p` for a holder, and has asked it and then everybody in vain. */
function unanswered(stage = new Stage().started('p')) {
  stage.hear('p', request({ id: 9 }));
  const [first] = messages(stage.want().effects, 'request');
  assert.equal(first?.to, 'p');
  return { stage, sent: first as Request };
}

/** What is asked or retrieved in the time that passes, with the moments. */
function happens(stage: Stage, durationMs: number) {
  const start = stage.now;
  return stage.pass(durationMs).flatMap(({ at, effect }) => {
    const asked = messages([effect], 'request').map(({ to }) => to ?? 'everybody');
    const retrieved = effect.kind === 'retrieve' ? [effect.source.kind] : [];
    return [...asked, ...retrieved].map((what) => ({ what, afterMs: at - start }));
  });
}

describe('a candidate that has answered nothing (§4.2)', () => {
  it('is asked once more after the round, and waited for before the Internet is', () => {
    const { stage } = unanswered();
    const done = happens(stage, 400);
    assert.deepEqual(
      done.map(({ what }) => what),
      ['everybody', 'everybody', 'everybody', 'p', 'origin'],
    );
    const [again, origin] = done.slice(-2);
    assert.ok((origin?.afterMs ?? 0) - (again?.afterMs ?? 0) >= PATIENCE_MS);
  });

  it('is believed as soon as it says that it has it, or fetches it', () => {
    const late = unanswered();
    happens(late.stage, 100);
    const effects = late.stage.hear('p', late.stage.answer(late.sent));
    assert.ok(effects.some(({ kind }) => kind === 'retrieve'));

    const { stage } = unanswered();
    happens(stage, 100);
    const { service, href, variant } = WANT;
    const flight = `/f/${'c'.repeat(64)}`;
    const base: Progress = {
      type: 'progress',
      ...{ service, href, variant, flight },
      id: 5,
      receivedBytes: 0,
      bytesPerSecond: 0,
      aborted: false,
    };
    const followed = stage.hear('p', base);
    assert.ok(followed.some(({ kind }) => kind === 'retrieve'));
  });

  it('is waited for no longer once it has said that it has nothing', () => {
    const { stage, sent } = unanswered();
    happens(stage, 24);
    stage.hear('p', stage.none(sent));
    const origin = happens(stage, 100).find(({ what }) => what === 'origin');
    assert.ok(origin !== undefined && origin.afterMs < 50);
  });

  it('is not waited for again until it has answered something: a dead node costs one wait', () => {
    const { stage } = unanswered();
    happens(stage, 400);
    const waits = () => {
      assert.equal(messages(stage.want().effects, 'request')[0]?.to, 'p');
      const done = happens(stage, 1000);
      const again = done.filter(({ what }) => what === 'p').length;
      const afterMs = done.find(({ what }) => what === 'origin')?.afterMs ?? Number.NaN;
      assert.ok(again === 1 ? afterMs > PATIENCE_MS : afterMs < 100, JSON.stringify(done));
      return again === 1;
    };
    assert.equal(waits(), false);
    stage.hear('p', hello());
    assert.equal(waits(), false, 'a beacon is no answer');
    const [asked] = messages(stage.want().effects, 'request');
    stage.hear('p', stage.none(asked as Request));
    stage.pass(1000);
    stage.hear('p', request({ id: 10 }));
    assert.equal(waits(), true, 'it has answered in time since');
  });

  it('is not waited for again because it answered late', () => {
    const { stage, sent } = unanswered();
    happens(stage, 24);
    stage.hear('p', stage.none(sent));
    stage.hear('p', stage.none(sent));
    stage.pass(1000);
    stage.hear('p', request({ id: 10 }));
    assert.equal(messages(stage.want().effects, 'request')[0]?.to, 'p');
    assert.equal(happens(stage, 1000).filter(({ what }) => what === 'p').length, 0);
  });
});
