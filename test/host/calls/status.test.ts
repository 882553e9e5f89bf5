/** The look at the node: only for those who were granted it, and only at what there is to see. */
import assert from 'node:assert/strict';
import type { Call, Caller } from '@peerage/core/host/calls/call.js';
import { statusCalls } from '@peerage/core/host/calls/status.js';
import { CodedError } from '@peerage/sdk';

const view = {
  status: () => ({ name: 'desk', secret: undefined }),
  peers: () => [],
  downloads: () => [],
  look: (what: string, url: string | undefined) => [{ what, url }],
};

/** A call as the plugin's process makes it. */
function callOf(argument: Call['argument'], granted = true): Call {
  const demandStatus = () => {
    if (!granted) throw new CodedError('E_STATUS_NOT_GRANTED', 'no');
  };
  const caller = { grant: { demandStatus }, plugin: { manifest: { id: 'demo' } } };
  const { signal } = new AbortController();
  const emit = () => undefined;
  return { caller: caller as unknown as Caller, method: 'status.look', argument, signal, emit };
}

describe('a plugin that looks at the node', () => {
  const look = (argument: Call['argument'], granted?: boolean) =>
    statusCalls(view)['status.look']?.(callOf(argument, granted));

  it('sees store, why and elections, as they are printed', async () => {
    for (const what of ['cache', 'why', 'elections']) {
      assert.deepEqual(await look({ view: what }), [{ what }]);
    }
    assert.deepEqual(await look({ view: 'why', url: 'http://a.example/' }), [
      { what: 'why', url: 'http://a.example/' },
    ]);
  });

  it('is refused without the grant, and for what is no view', async () => {
    await assert.rejects(async () => look({ view: 'why' }, false), {
      code: 'E_STATUS_NOT_GRANTED',
    });
    for (const wrong of [{}, { view: 'status' }, { view: '__proto__' }, { view: 'why', url: 5 }]) {
      await assert.rejects(async () => look(wrong), { code: 'E_CALL_UNKNOWN' });
    }
  });
});
