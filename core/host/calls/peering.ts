/**
 * The other calls of `PeeringService`: who has it, bytes of the plugin's own, uploads, packets of
 * its own type, the way to an origin.
 */
import { CodedError, type Published, type ResourceRequest, type UploadRequest } from '@peerage/sdk';
import type { OwnContent } from '../../ports/plugins.js';
import type { ContentTransfer, LanPeering } from '../../ports/ports.js';
import { outFile } from '../paths.js';
import {
  badCall,
  type Call,
  type CallTable,
  notAvailable,
  plainUrl,
  textOf,
  textsOf,
  untilEnd,
} from './call.js';

/** Bytes of one upload; larger ones are no business of a cache. */
const UPLOAD_BYTES_MAX = 1024 * 1024;
/** How long others may use what was published: as long as an immutable copy. */
const LIFETIME_MS_MAX = 365 * 24 * 60 * 60_000;
/** A scheme that is not the web's nor one that programs give a meaning of their own. */
const OWN_SCHEME = /^(?!(?:file|data|javascript|blob|about|ftp|unix|wss?):)[a-z][a-z0-9+.-]{1,30}:/;

export interface PeeringCalls {
  readonly transfer: ContentTransfer;
  readonly own?: OwnContent | undefined;
  readonly announcements?: Pick<LanPeering, 'announce' | 'onAnnouncement'> | undefined;
}

export function peeringCalls({ transfer, own, announcements }: PeeringCalls): CallTable {
  const content = () => own ?? lacking('store for plugins');
  const packets = () => announcements ?? lacking('packets for plugins');
  return {
    'peering.find': (call) => {
      const url = plainUrl(textOf(call, 'url'));
      call.caller.grant.demand(url, 'urls', 'publishes');
      const request: ResourceRequest = { url, headers: textsOf(call, 'headers') };
      return content().find(call.caller.plugin.manifest.id, request);
    },
    'peering.publish': (call) => publish(call, content()),
    'peering.upload': (call) => upload(call, content()),
    'peering.announce': async (call) => {
      const { plugin, grant } = call.caller;
      packets().announce(plugin.manifest.id, textOf(call, 'name'), textsOf(call, 'values'));
      grant.counters.add('announcements');
    },
    'peering.onAnnouncement': async (call) => {
      const service = call.caller.plugin.manifest.id;
      untilEnd(
        call,
        packets().onAnnouncement(service, (heard) => call.emit(heard)),
      );
    },
    'peering.route': (call) => {
      const host = textOf(call, 'host');
      const { port } = call.argument;
      if (typeof port !== 'number') throw badCall(call);
      const usual = port === 443 || port === 80 ? '' : `:${port}`;
      call.caller.grant.demand(`${port === 443 ? 'https' : 'http'}://${host}${usual}/`, 'urls');
      return transfer.route(host, port);
    },
  };
}

function lacking(what: string): never {
  throw notAvailable(what);
}

async function publish(call: Call, own: OwnContent): Promise<Published> {
  const { caller, argument } = call;
  const uri = plainUrl(textOf(call, 'uri'));
  caller.grant.demand(uri, 'publishes');
  const { lifetimeMs, contentType } = argument;
  const isTyped = contentType === undefined || /^[\x20-\x7e]{3,200}$/.test(String(contentType));
  const isLasting =
    typeof lifetimeMs === 'number' && lifetimeMs > 0 && lifetimeMs <= LIFETIME_MS_MAX;
  if (!isTyped || !isLasting || !OWN_SCHEME.test(uri)) {
    throw new CodedError('E_PUBLISH_INVALID', `${uri.slice(0, 200)} cannot be published`, {
      expected: 'a URI like clamav:daily.cvd or https:…, a lifetime of up to a year',
    });
  }
  const published = await own.publish({
    uri,
    path: await outFile(caller.dataDirectory, textOf(call, 'file')),
    lifetimeMs,
    contentType: contentType === undefined ? undefined : String(contentType),
  });
  caller.grant.counters.add('published');
  caller.grant.counters.add('bytes-published', published.sizeBytes);
  return published;
}

async function upload(call: Call, own: OwnContent): Promise<unknown> {
  const { caller, argument } = call;
  const { method, body } = argument;
  const url = plainUrl(textOf(call, 'url'));
  if ((method !== 'POST' && method !== 'PUT') || !(body instanceof Uint8Array)) throw badCall(call);
  caller.grant.demand(url, 'uploads');
  if (body.length > UPLOAD_BYTES_MAX) {
    throw new CodedError('E_UPLOAD_TOO_LARGE', `${body.length} bytes are too many to upload`, {
      expected: `at most ${UPLOAD_BYTES_MAX}`,
    });
  }
  const request: UploadRequest = { url, method, headers: textsOf(call, 'headers'), body };
  const response = await own.upload(request, caller.plugin.manifest.id);
  caller.grant.counters.add('uploads');
  caller.grant.counters.add('bytes-uploaded', body.length);
  return response;
}
