/** The public surface of the SDK, nothing else. */
export { CodedError, describeError, type ErrorDetails, errorCode } from './errors.js';
export { inject, injectable, sharedToken } from './injection.js';
export type { CancellationSignal, Disposable } from './lifecycle.js';
export type { ElectionMode, PluginGrant, PluginManifest, UrlPattern } from './manifest.js';
export { type Log, Plugin, PluginContext } from './plugin.js';
export {
  ElectionService,
  type KnownDigest,
  type OriginRoute,
  PeeringService,
  type Provider,
  type ResourcePolicy,
  type ResourceRequest,
  type ResourceResponse,
  type ResourceSource,
} from './services.js';
