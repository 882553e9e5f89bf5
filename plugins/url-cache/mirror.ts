/**
 * Mirrors: one upstream, mounted at `/` of a port of its own.
 *
 * The way to cache https without breaking it open: the client speaks http to us on loopback, we
 * speak https to the upstream. A port each, not a path each, because npm forgets path prefixes
 * when it works from a lockfile. Invariant: a mirror's port never serves another host.
 */
import { CodedError } from '@peerage/sdk';
import type { OwnAddresses } from './own-addresses.js';
import type { OwnNames } from './own-names.js';
import type { Resolve } from './proxy.js';
import { absoluteTarget, isOriginForm, mirrorTarget } from './target.js';

/** Targets on the port of a mirror. */
export function mirrorTargets(upstream: URL, own: OwnAddresses, names: OwnNames): Resolve {
  return (request) => {
    if (isOriginForm(request)) {
      names.refuseForeign(request);
      return mirrorTarget(request.url ?? '/', upstream);
    }
    const url = absoluteTarget(request);
    if (own.includesUrl(url)) return mirrorTarget(`${url.pathname}${url.search}`, upstream);
    throw notAProxy();
  };
}

/** That a mirror's port was used as a proxy. */
export function notAProxy(): CodedError {
  return new CodedError('E_NOT_A_PROXY', 'this port is a mirror, not a proxy', {
    expected: 'a request for a path',
    action: 'use the port of the proxy, or set this one as the registry',
  });
}
