/** The schema of a manifest (`peerage` in a plugin's package.json), as the core judges it. */

const patterns = (description: string) => ({
  type: 'array',
  maxItems: 500,
  items: { type: 'string', maxLength: 1000 },
  description,
});

const NAME = '^[a-z][a-z0-9-]{0,40}$';
/** Services of the node's own: their packets must not be a plugin's. */
const RESERVED_IDS = ['core', 'cli'];
const MODES = ['own', 'network', 'none'];
const EVENTS = ['start', 'url', 'elected', 'schedule', 'command'];

const PERMISSIONS_SCHEMA = {
  type: 'object',
  additionalProperties: false,
  description: 'What it needs beyond URLs; nothing of it without the admin’s grant.',
  properties: {
    programs: {
      type: 'array',
      maxItems: 100,
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['name', 'command', 'arguments'],
        properties: {
          name: { type: 'string', pattern: NAME },
          command: { type: 'string', pattern: '^(/.*|[A-Za-z0-9._+-]+)$', maxLength: 500 },
          arguments: { type: 'array', maxItems: 100, items: { type: 'string', maxLength: 1000 } },
        },
      },
    },
    listen: {
      type: 'array',
      maxItems: 100,
      items: { anyOf: [{ type: 'integer', minimum: 1, maximum: 65535 }, { const: 'any' }] },
    },
    writePaths: {
      type: 'array',
      maxItems: 100,
      items: { type: 'string', pattern: '^(/|[A-Za-z]:)', maxLength: 1000 },
    },
    status: { type: 'boolean' },
  },
} as const;

export const MANIFEST_SCHEMA = {
  $schema: 'http://json-schema.org/draft-07/schema#',
  type: 'object',
  additionalProperties: false,
  required: ['api', 'id', 'urls', 'settings'],
  properties: {
    api: { type: 'integer', description: 'Version of the plugin interface: 1.' },
    id: { type: 'string', pattern: NAME, not: { enum: RESERVED_IDS } },
    displayName: { type: 'string', maxLength: 100, default: '' },
    urls: patterns('URL patterns it asks for; * matches any run of characters.'),
    uploads: patterns('URL patterns it uploads to.'),
    publishes: patterns('URI patterns it publishes under, for example "clamav:*".'),
    election: {
      default: 'none',
      anyOf: [
        { enum: MODES },
        {
          type: 'object',
          additionalProperties: false,
          required: ['mode'],
          properties: {
            mode: { enum: MODES },
            criteria: { type: 'array', maxItems: 16, items: { type: 'string', maxLength: 50 } },
          },
        },
      ],
    },
    activation: { type: 'array', minItems: 1, items: { enum: EVENTS }, default: ['start'] },
    settings: { type: 'object', description: 'JSON Schema (draft 7) of its settings.' },
    commands: {
      type: 'array',
      maxItems: 50,
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['name', 'description'],
        properties: {
          name: { type: 'string', pattern: NAME },
          description: { type: 'string', maxLength: 200 },
          usage: { type: 'string', maxLength: 200 },
        },
      },
    },
    permissions: PERMISSIONS_SCHEMA,
  },
} as const;
