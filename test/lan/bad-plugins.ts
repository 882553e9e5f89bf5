/** Plugins that do what plugins must not do, and what an admin is to see of each. */
import { type PluginText, pluginSource } from '../host/rig.js';

export interface BadPlugin {
  readonly name: string;
  readonly plugin: PluginText;
  /** What the admin sees: in the plugin's last error, its counters or the log. */
  readonly says: RegExp;
  /** Whether plugins.json with it is refused before anything is started. */
  readonly isRefused?: boolean;
}

const TOOLS = `
  const codeOf = async (work) => { try { await work(); return 'none'; } catch (e) { return e.code ?? String(e); } };`;

function doing(text: string, more: Partial<PluginText> = {}): PluginText {
  const body = `async activate() {
    const { plugincontext: context, peeringservice: peering } = this;
    ${text}
  }`;
  return { source: pluginSource(['PluginContext', 'PeeringService'], body, TOOLS), ...more };
}

/** After it is active, so that it is the running plugin that misbehaves. */
const later = (text: string, more: Partial<PluginText> = {}) =>
  doing(`setImmediate(() => { ${text} });`, more);

const plain = (source: string): PluginText => ({ source, urls: ['https://bad.example/*'] });

export const BAD_PLUGINS: readonly BadPlugin[] = [
  {
    name: 'throws in its constructor',
    plugin: plain(
      pluginSource([], 'activate() {}').replace(
        'super();',
        "super(); throw new CodedError('E_MINE', 'no');",
      ),
    ),
    says: /no/,
  },
  {
    name: 'never returns from activate',
    plugin: doing('await new Promise(() => undefined);'),
    says: /not active within/,
  },
  { name: 'exits', plugin: later('process.exit(1);'), says: /ended/ },
  { name: 'loops for ever', plugin: later('for (;;);'), says: /no answer|SIGKILL/ },
  {
    name: 'eats memory',
    plugin: later('const all = []; for (;;) all.push(new Array(1e5).fill({}));', {
      entry: { grant: { memoryMiB: 32 } },
    }),
    says: /heap|SIGABRT|no answer/,
  },
  {
    name: 'floods the RPC',
    plugin: later(
      'const flood = () => { for (let i = 0; i < 500; i += 1) process.send({ type: "pong" }); setImmediate(flood); }; flood();',
    ),
    says: /messages in a second|ended/,
  },
  {
    name: 'asks for a URL outside its grant',
    plugin: later(
      "(async () => { for (;;) { await codeOf(() => peering.open({ url: 'https://other.example/' })); await new Promise((r) => setTimeout(r, 20)); } })();",
      { urls: [] },
    ),
    says: /denied-urls/,
  },
  {
    name: 'writes outside its directory',
    plugin: doing("process.getBuiltinModule('node:fs').writeFileSync('../../x', 'x');"),
    says: /ERR_ACCESS_DENIED|restricted/,
  },
  {
    name: 'ships a wrong manifest',
    plugin: { ...plain(''), manifest: { urls: 'all' } },
    says: /"peerage\/urls" must be array/,
    isRefused: true,
  },
  {
    name: 'needs a newer API',
    plugin: { ...plain(''), manifest: { api: 99 } },
    says: /interface 99/,
    isRefused: true,
  },
  {
    name: 'says it is another',
    plugin: { ...plain(''), manifest: { id: 'steady' } },
    says: /its manifest says it is "steady"/,
    isRefused: true,
  },
  {
    name: 'imports what is not there',
    plugin: plain("import 'not-there'; export default class {}"),
    says: /not-there/,
  },
  { name: 'exports no class', plugin: plain('export const a = 1;'), says: /exports no class/ },
  {
    name: 'awaits for ever at its top level',
    plugin: plain(
      'await new Promise(() => setInterval(() => undefined, 1e6)); export default class {}',
    ),
    says: /not active within/,
  },
  {
    name: 'is CommonJS with a fault',
    plugin: plain(
      "const { Plugin } = require('@peerage/sdk'); module.exports = class extends Plugin {};",
    ),
    says: /require/,
  },
];
