/** The schema of one plugin's entry in plugins.json: which package, which grant, which settings. */

const patterns = (description: string) => ({
  type: 'array',
  maxItems: 1000,
  items: { type: 'string', maxLength: 1000 },
  description,
});

const GRANT_SCHEMA = {
  type: 'object',
  additionalProperties: false,
  default: {},
  description: 'What the plugin may do, of what its manifest wishes.',
  properties: {
    urls: patterns('URL patterns it may ask for; all it wishes if absent.'),
    uploads: patterns('URL patterns it may upload to; all it wishes if absent.'),
    publishes: patterns('URI patterns it may publish under; all it wishes if absent.'),
    programs: {
      type: 'array',
      maxItems: 100,
      items: { type: 'string', maxLength: 100 },
      description: 'Names of programs of its manifest that the core runs for it; none if absent.',
    },
    listen: {
      type: 'array',
      maxItems: 100,
      items: { anyOf: [{ type: 'integer', minimum: 1, maximum: 65535 }, { const: 'any' }] },
      description: 'Ports it may listen on; all it wishes if absent.',
    },
    writePaths: {
      type: 'array',
      maxItems: 100,
      items: { type: 'string', maxLength: 1000 },
      description: 'Paths of its manifest that it may write to; none if absent.',
    },
    status: { type: 'boolean', description: 'Whether it may look at the node’s status.' },
    memoryMiB: {
      type: 'integer',
      minimum: 32,
      maximum: 65_536,
      description: 'Heap of its process; 256 if absent.',
    },
    network: { type: 'boolean', description: 'false: no network at all (Linux).' },
    uid: {
      type: 'integer',
      minimum: 1,
      maximum: 4_294_967_294,
      description: 'User that its process runs as (Linux, node run by root).',
    },
    confine: { type: 'boolean', description: 'false: without Node’s permission flags.' },
  },
} as const;

export const PLUGIN_SCHEMA = {
  type: 'object',
  additionalProperties: false,
  required: ['use'],
  properties: {
    use: {
      type: 'string',
      minLength: 1,
      maxLength: 500,
      description: 'npm package, or path to its directory.',
    },
    version: { type: 'string', maxLength: 100, description: 'The one version that may run.' },
    integrity: {
      type: 'string',
      maxLength: 200,
      description: 'Digest of its files, as `peerage plugins validate` prints it.',
    },
    enabled: { type: 'boolean', default: true },
    grant: GRANT_SCHEMA,
    settings: { type: 'object', default: {}, description: 'See the plugin’s manifest.' },
  },
} as const;
