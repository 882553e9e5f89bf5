/** A plugin of the labs that sends a text to a URL when it is told to: `peerage courier send URL TEXT`. */
import { type PluginText, pluginSource, writePlugin } from '../host/rig.js';
import type { Place } from './place.js';

const BODY = `
  async activate() {
    await this.commandservice.onCommand('send', async ([url, text]) => {
      const headers = { 'content-type': 'text/plain' };
      const body = Buffer.from(text);
      const { status } = await this.peeringservice.upload({ url, method: 'POST', headers, body });
      return { text: String(status), json: { status } };
    });
  }`;

const COURIER: PluginText = {
  source: pluginSource(['PeeringService', 'CommandService'], BODY),
  urls: [],
  manifest: {
    uploads: ['http://*'],
    election: 'network',
    commands: [{ name: 'send', description: 'sends a text to a URL' }],
  },
};

/** Writes the plugin on a place; returns its directory. */
export function courierOn(place: Place): Promise<string> {
  return writePlugin(place.directory, 'courier', COURIER);
}

/** Its entry in plugins.json. @param uploads where the admin lets it send to; all by default */
export function courier(use: string, uploads?: readonly string[]): object {
  return { use, enabled: true, ...(uploads === undefined ? {} : { grant: { uploads } }) };
}
