/** The doctor's judgements, each on made-up facts: what is bad, what is fine, and the remedy. */
import assert from 'node:assert/strict';
import type { Finding } from '@peerage/core/doctor/finding.js';
import {
  checkDisk,
  checkInterfaces,
  defaultRoutes,
  judgeFirewall,
  judgeRoutes,
} from '@peerage/core/doctor/machine.js';
import {
  judgeBroadcast,
  judgeCertificate,
  judgePlugins,
  judgeRejections,
} from '@peerage/core/doctor/node.js';
import { parseConfiguration } from '@peerage/core/ports/configuration.js';

const { core } = parseConfiguration('{}', 'made up');
const levels = (findings: readonly Finding[]) =>
  findings.map(({ check, level, remedy }) => {
    assert.equal(remedy === undefined, level === 'ok', 'all but what is in order has a remedy');
    return `${check} ${level}`;
  });
const card = (address: string, netmask = '255.255.255.0') => {
  const mac = '00:00:00:00:00:00';
  return { address, netmask, family: 'IPv4' as const, mac, internal: false, cidr: null };
};

describe('the doctor on network cards', () => {
  it('misses a LAN, a DHCP server, and names what belongs to containers', () => {
    assert.deepEqual(levels(checkInterfaces(core, {}, [])), ['interfaces bad']);
    assert.deepEqual(levels(checkInterfaces(core, { eth0: [card('10.0.0.1')] }, [])), [
      'interfaces ok',
    ]);
    const more = {
      eth0: [card('10.0.0.1')],
      eth1: [card('169.254.3.4')],
      docker0: [card('172.17.0.1')],
    };
    const expected = ['interfaces ok', 'interface-dhcp warn', 'bridges warn'];
    assert.deepEqual(levels(checkInterfaces(core, more, Object.keys(more))), expected);
  });

  it('holds the gateway against the mask', () => {
    const header = 'Iface Destination Gateway Flags RefCnt Use Metric Mask';
    const routes = defaultRoutes(
      `${header}\neth0 00000000 0100A8C0 0003 0 0 0 00000000\neth0 0000A8C0 00000000 0001 0 0 0 00FFFFFF\n`,
    );
    assert.deepEqual(routes, [{ name: 'eth0', gateway: '192.168.0.1' }]);
    const lan = { name: 'eth0', address: '192.168.0.77', broadcast: '192.168.0.255' };
    const judge = (netmask: string) => levels(judgeRoutes(routes, [{ ...lan, netmask }], true));
    assert.deepEqual(judge('255.255.255.0'), ['netmask ok']);
    assert.deepEqual(judge('255.255.255.248'), ['netmask bad']);
    assert.deepEqual(levels(judgeRoutes([], [], true)), ['internet bad']);
    assert.deepEqual(levels(judgeRoutes([], [], false)), ['internet ok']);
  });
});

describe('the doctor on the packet filter and the disk', () => {
  it('sees rules that drop our ports, and a policy that drops what it does not name', () => {
    const chain = (policy: string, rule: string) =>
      `table inet filter {\n chain input {\n type filter hook input priority 0; policy ${policy};\n ${rule}\n }\n}`;
    for (const [ruleset, expected] of [
      ['', ['firewall ok']],
      [chain('accept', 'udp dport 1967 drop'), ['firewall bad']],
      [chain('accept', 'tcp dport { 6515, 22 } reject'), ['firewall bad']],
      [chain('drop', 'udp dport 1967 accept'), ['firewall bad']],
      [chain('drop', 'udp dport 1967 accept\n tcp dport 6515 accept'), ['firewall ok']],
      [chain('accept', 'udp dport 19670 drop'), ['firewall ok']],
    ] as const) {
      assert.deepEqual(levels(judgeFirewall(ruleset, core)), expected, ruleset);
    }
  });

  it('looks at the disk of a directory that is still to be made', async () => {
    assert.equal((await checkDisk('/tmp/not/there/yet')).check, 'disk');
  });
});

describe('the doctor on the node', () => {
  it('judges its certificate, its plugins, its broadcast', () => {
    const now = Date.parse('2030-01-10T00:00:00Z');
    const certificate = (ends: string) => levels([judgeCertificate(ends, now)]);
    assert.deepEqual(certificate('2030-02-01T00:00:00Z'), ['certificate ok']);
    assert.deepEqual(certificate('2030-01-12T00:00:00Z'), ['certificate warn']);
    assert.deepEqual(certificate('2030-01-09T00:00:00Z'), ['certificate bad']);
    const plugin = { id: 'a', version: '1', pid: 1, restarts: 4, lastError: 'E_X', counters: {} };
    assert.deepEqual(levels(judgePlugins([{ ...plugin, state: 'quarantined' }])), ['plugins bad']);
    assert.deepEqual(levels(judgePlugins([{ ...plugin, state: 'active' }])), ['plugins ok']);
    assert.deepEqual(levels([judgeBroadcast(2, 1, 1967)]), ['broadcast ok']);
    assert.deepEqual(levels([judgeBroadcast(2, 0, 1967)]), ['broadcast bad']);
    assert.deepEqual(levels([judgeBroadcast(0, 0, 1967)]), ['broadcast bad']);
  });

  it('tells from what it rejects which clock, mask or member is wrong', () => {
    const heard = { 'received-hello': 1 };
    assert.deepEqual(levels(judgeRejections(heard, core)), ['clock ok']);
    assert.deepEqual(levels(judgeRejections({}, core)), ['clock ok', 'peers warn']);
    const wrong = { ...heard, 'rejected-time': 1, 'rejected-address': 1, 'rejected-revoked': 1 };
    const expected = ['clock bad', 'netmask bad', 'members warn'];
    assert.deepEqual(levels(judgeRejections(wrong, core)), expected);
  });
});
