/** plugins.json, the admin's one file: every fault is named by file, line, key and what is right. */
import { deepEqual, equal, ok, rejects, throws } from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  nearest,
  parseConfiguration,
  readConfiguration,
  withDefaults,
} from '@peerage/core/ports/configuration.js';
import { CORE_SCHEMA, type CoreSettings } from '@peerage/core/ports/settings.js';
import { CodedError } from '@peerage/sdk';

const FILE = 'plugins.json';

/** The faults of a text, one a line; empty if it is taken. */
function faults(text: string, judge?: (text: string) => unknown): string[] {
  try {
    if (judge === undefined) parseConfiguration(text, FILE);
    else judge(text);
    return [];
  } catch (error) {
    ok(error instanceof CodedError, String(error));
    equal(error.code, 'E_CONFIG_INVALID');
    ok(/nothing was changed/.test(error.action ?? ''));
    return error.message.split('\n');
  }
}

const lines = (...text: string[]) => text.join('\n');

describe('the configuration: what is taken', () => {
  it('fills in every default of the core', () => {
    const { core, plugins } = parseConfiguration('{}', FILE);
    deepEqual(core, {
      address: 'auto',
      packetPort: 1967,
      objectPort: 6515,
      roles: 'both',
      profile: 'adaptive',
      internet: true,
      broadcastResponses: false,
      election: {
        weight: 0,
        probeUrls: [
          'http://connectivity-check.ubuntu.com/',
          'http://www.msftconnecttest.com/connecttest.txt',
          'http://captive.apple.com/',
        ],
        pin: '',
        exclude: [],
      },
      roundTripInitialMs: 4,
      storeDirectory: '',
      storeQuotaMiB: 10_240,
      originAllow: [],
      internetHours: '',
      internetRateKiBps: 0,
      serve: true,
      uploadRateKiBps: 0,
      metricsPort: 0,
      upstreamProxy: '',
      extraCa: '',
    });
    deepEqual(plugins, {});
    deepEqual(core, withDefaults<CoreSettings>(CORE_SCHEMA));
  });

  it('keeps what is said and fills in the rest', () => {
    const { core } = parseConfiguration('{"core": {"packetPort": 2000, "internet": false}}', FILE);
    deepEqual([core.packetPort, core.internet, core.objectPort], [2000, false, 6515]);
  });

  it('fills in the defaults of a plugin', () => {
    const { plugins } = parseConfiguration('{"plugins": {"a-b": {"use": "./a"}}}', FILE);
    const entry = { use: './a', enabled: true, grant: {}, settings: {} };
    deepEqual({ ...plugins['a-b'] }, entry);
  });

  it('two files do not share their defaults', () => {
    const [one, two] = ['{}', '{}'].map((text) => parseConfiguration(text, FILE));
    ok(one !== undefined && two !== undefined);
    (one.core.originAllow as string[]).push('10.0.0.0/8');
    deepEqual(two.core.originAllow, []);
    deepEqual(parseConfiguration('{}', FILE).core.originAllow, []);
  });

  it('comments, trailing commas and a schema for editors may stand in it', () => {
    const text = lines(
      '{',
      '  "$schema": "./schema.json", // for the editor',
      '  /* the core */ "core": { "roles": "client", },',
      '}',
    );
    equal(parseConfiguration(text, FILE).core.roles, 'client');
  });

  it('is taken at its bounds', () => {
    const bounds: object[] = [
      { packetPort: 1, objectPort: 65535, roundTripInitialMs: 1, storeQuotaMiB: 1 },
      { roundTripInitialMs: 50, storeQuotaMiB: 1_000_000_000, address: '192.168.1.7' },
      { originAllow: ['10.0.0.0/8', 'fd00::/8'], upstreamProxy: 'http://proxy:3128' },
    ];
    for (const core of bounds) deepEqual(faults(JSON.stringify({ core })), []);
  });
});

describe('the configuration: what is refused', () => {
  it('an unknown key, with its line and the nearest key', () => {
    const text = lines(
      '{',
      '  "core": {',
      '    "internet": true,',
      '    "packetport": 1',
      '  }',
      '}',
    );
    deepEqual(faults(text), [
      'plugins.json:4: unknown key "core.packetport"; did you mean "packetPort"?',
    ]);
  });

  it('an unknown key at the top, in a plugin and in its grant', () => {
    const text = lines(
      '{',
      '  "plugin": {},',
      '  "plugins": {',
      '    "a": {',
      '      "use": "a",',
      '      "enable": true,',
      '      "grant": {',
      '        "url": []',
      '      }',
      '    }',
      '  }',
      '}',
    );
    deepEqual(faults(text).sort(), [
      'plugins.json:2: unknown key "plugin"; did you mean "plugins"?',
      'plugins.json:6: unknown key "plugins.a.enable"; did you mean "enabled"?',
      'plugins.json:8: unknown key "plugins.a.grant.url"; did you mean "urls"?',
    ]);
  });

  it('an unknown key that is like none gets no advice', () => {
    deepEqual(faults('{"core": {"qqqqqqqq": 1}}'), ['plugins.json:1: unknown key "core.qqqqqqqq"']);
  });

  const table: Array<[why: string, core: object, key: string, word: RegExp]> = [
    ['a text for a number', { packetPort: '1967' }, 'packetPort', /must be integer/],
    ['a number for a flag', { internet: 1 }, 'internet', /must be boolean/],
    ['a fraction for an integer', { objectPort: 1.5 }, 'objectPort', /must be integer/],
    ['null', { roles: null }, 'roles', /both, client, server/],
    ['a port of 0', { packetPort: 0 }, 'packetPort', /must be >= 1/],
    ['a port above the last', { objectPort: 65536 }, 'objectPort', /must be <= 65535/],
    ['a quota of nothing', { storeQuotaMiB: 0 }, 'storeQuotaMiB', /must be >= 1/],
    ['a round trip too long', { roundTripInitialMs: 51 }, 'roundTripInitialMs', /must be <= 50/],
    ['a role that is none', { roles: 'all' }, 'roles', /: both, client, server/],
    ['a profile that is none', { profile: 'fast' }, 'profile', /: adaptive, classic/],
    ['an address that is none', { address: 'localhost' }, 'address', /must match/],
    ['a network without a mask', { originAllow: ['10.0.0.0'] }, 'originAllow.0', /must match/],
    ['a proxy without a scheme', { upstreamProxy: 'proxy:3128' }, 'upstreamProxy', /must match/],
  ];
  for (const [why, core, key, word] of table) {
    it(`${why}, named with key and line`, () => {
      const text = JSON.stringify({ core }, undefined, 2);
      const [fault = '', ...more] = faults(text);
      deepEqual(more, []);
      const line = text.split('\n').findIndex((row) => row.includes(key.split('.')[0] ?? '')) + 1;
      const place = key.endsWith('.0') ? line + 1 : line;
      ok(fault.startsWith(`plugins.json:${place}: "core.${key}" `), fault);
      ok(word.test(fault), fault);
    });
  }

  it('several faults at once, each in its own line', () => {
    const text = lines(
      '{',
      '  "core": {',
      '    "roles": "al",',
      '    "internt": true,',
      '    "packetPort": 70000',
      '  },',
      '  "plugins": { "a": {} }',
      '}',
    );
    const found = faults(text);
    equal(found.length, 4);
    for (const line of [3, 4, 5, 7]) {
      equal(
        found.filter((fault) => fault.startsWith(`plugins.json:${line}:`)).length,
        1,
        `${line}`,
      );
    }
    ok(found.some((fault) => /"plugins\.a" must have required property 'use'/.test(fault)));
  });

  it('broken JSON, with the line of the break', () => {
    const table: Array<[text: string, line: number]> = [
      ['{\n  "core": {\n    "internet": tru\n  }\n}', 3],
      ['{\n  "core": {\n', 3],
      ['{\n  "core" {}\n}', 2],
      ['{\n  "core": {}\n  "plugins": {}\n}', 3],
      ["{\n  'core': {}\n}", 2],
      ['{}\n{}', 2],
      ['', 1],
      ['// nothing', 1],
    ];
    for (const [text, line] of table) {
      const [fault = ''] = faults(text);
      ok(fault.startsWith(`plugins.json:${line}: not JSON: `), `${JSON.stringify(text)}: ${fault}`);
    }
  });

  it('JSON that is no object', () => {
    for (const text of ['[]', '1', '"x"', 'null', 'true']) {
      ok(/must be object/.test(faults(text)[0] ?? ''), text);
    }
  });

  it('an id of a plugin that is none, with its line', () => {
    const text = lines('{', '  "plugins": {', '    "A b": { "use": "a" }', '  }', '}');
    const found = faults(text);
    ok(found.length > 0 && found.every((fault) => /^plugins\.json:3: /.test(fault)), `${found}`);
    ok(
      found.some((fault) => fault.includes('A b')),
      `${found}`,
    );
  });

  it('the same key twice, of which one would silently not count', () => {
    const text = lines('{', '  "core": { "internet": false },', '  "core": {}', '}');
    const [fault = ''] = faults(text);
    ok(/^plugins\.json:3: .*"core".*twice/.test(fault), fault);
  });

  it('a key that would be a prototype', () => {
    ok(faults('{"core": {"__proto__": {"internet": false}}}').length > 0);
    ok(faults('{"__proto__": {"core": 1}}').length > 0);
  });

  it('is named, at most twenty faults at once', () => {
    const core = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`qqqqqqqqqq${i}`, 1]));
    equal(faults(JSON.stringify({ core })).length, 20);
  });
});

describe('the settings of a plugin', () => {
  const SCHEMA = {
    type: 'object',
    additionalProperties: false,
    required: ['port'],
    properties: {
      port: { type: 'integer', minimum: 1, maximum: 65535 },
      names: { type: 'array', items: { type: 'string' }, default: ['x'] },
      deep: {
        type: 'object',
        additionalProperties: false,
        default: {},
        properties: { waitMs: { type: 'integer', default: 5 } },
      },
    },
  };
  const withSettings = (...rows: string[]) =>
    lines('{', '  "plugins": {', '    "a": {', '      "use": "a",', ...rows, '    }', '  }', '}');
  const judge = (text: string) => parseConfiguration(text, FILE).checkSettings('a', SCHEMA);

  it('are judged by its manifest and completed with its defaults', () => {
    const settings = judge(withSettings('      "settings": { "port": 80 }'));
    deepEqual(settings, { port: 80, names: ['x'], deep: { waitMs: 5 } });
  });

  it('are handed out as a copy each time', () => {
    const configuration = parseConfiguration(
      withSettings('      "settings": { "port": 80 }'),
      FILE,
    );
    const first = configuration.checkSettings('a', SCHEMA);
    first['port'] = 1;
    equal(configuration.checkSettings('a', SCHEMA)['port'], 80);
    deepEqual({ ...configuration.plugins['a']?.settings }, { port: 80 });
  });

  it('are refused with the line in the admin’s file, and the nearest key', () => {
    const text = withSettings(
      '      "settings": {',
      '        "port": 0,',
      '        "deep": {',
      '          "waitms": 1',
      '        },',
      '        "names": [',
      '          "a",',
      '          7',
      '        ]',
      '      }',
    );
    deepEqual(faults(text, judge).sort(), [
      'plugins.json:12: "plugins.a.settings.names.1" must be string',
      'plugins.json:6: "plugins.a.settings.port" must be >= 1',
      'plugins.json:8: unknown key "plugins.a.settings.deep.waitms"; did you mean "waitMs"?',
    ]);
  });

  it('that are missing are reported where the plugin stands', () => {
    const [fault = ''] = faults(withSettings('      "enabled": true'), judge);
    ok(
      /^plugins\.json:3: "plugins\.a\.settings" must have required property 'port'/.test(fault),
      fault,
    );
  });

  it('may have keys that look like numbers', () => {
    const schema = { type: 'object', additionalProperties: { type: 'boolean' } };
    const text = withSettings('      "settings": {', '        "80": 1', '      }');
    const [fault = ''] = faults(text, (all) =>
      parseConfiguration(all, FILE).checkSettings('a', schema),
    );
    ok(fault.startsWith('plugins.json:6: "plugins.a.settings.80" must be boolean'), fault);
  });

  it('of a plugin that is not in the file are its defaults', () => {
    const schema = { type: 'object', properties: { a: { type: 'integer', default: 3 } } };
    const configuration = parseConfiguration('{}', FILE);
    deepEqual(configuration.checkSettings('none', schema), { a: 3 });
    deepEqual(configuration.checkSettings('constructor', schema), { a: 3 });
  });
});

describe('the file of the configuration', () => {
  it('is read, and named when it cannot be', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'peerage-'));
    try {
      const file = join(folder, 'plugins.json');
      await rejects(readConfiguration(file), (error) => {
        ok(error instanceof CodedError && error.cause instanceof Error);
        equal(error.code, 'E_CONFIG_UNREADABLE');
        return error.message.includes(file);
      });
      await rejects(readConfiguration(folder), { code: 'E_CONFIG_UNREADABLE' });
      writeFileSync(file, '{"core": {"roles": "server"}}');
      equal((await readConfiguration(file)).core.roles, 'server');
      writeFileSync(file, '{"core"');
      await rejects(readConfiguration(file), { code: 'E_CONFIG_INVALID' });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('may begin with a byte order mark, as some editors write it', () => {
    throws(() => parseConfiguration('\ufeff', FILE), { code: 'E_CONFIG_INVALID' });
    equal(parseConfiguration('\ufeff{"core": {"roles": "server"}}', FILE).core.roles, 'server');
  });
});

describe('the nearest key', () => {
  it('is the one written most alike, whatever its case, if any is alike', () => {
    const keys = ['packetPort', 'objectPort', 'roles', 'internet'];
    const table: Array<[written: string, meant: string | undefined]> = [
      ['PacketPort', 'packetPort'],
      ['packet_port', 'packetPort'],
      ['objetport', 'objectPort'],
      ['role', 'roles'],
      ['Internet', 'internet'],
      ['zzzz', undefined],
      ['', undefined],
    ];
    for (const [written, meant] of table) equal(nearest(written, keys), meant, written);
    equal(nearest('a', []), undefined);
  });
});
