/** The public surface of the SDK, nothing else. */
export {
  type CommandHandler,
  type CommandOptions,
  type CommandResult,
  CommandService,
} from './commands.js';
export { ElectionService, type ElectionState, type Provider } from './election.js';
export { CodedError, describeError, type ErrorDetails, errorCode } from './errors.js';
export { inject, injectable, sharedToken } from './injection.js';
export type { CancellationSignal, Disposable } from './lifecycle.js';
export type {
  ActivationEvent,
  CommandDescription,
  ElectionMode,
  ElectionWish,
  PermissionWishes,
  PluginGrant,
  PluginManifest,
  ProgramWish,
  UrlPattern,
} from './manifest.js';
export {
  type Announcement,
  type FoundResource,
  type KnownDigest,
  type OriginRoute,
  PeeringService,
  type Publication,
  type Published,
  type ResourcePolicy,
  type ResourceProgress,
  type ResourceRequest,
  type ResourceResponse,
  type ResourceSource,
  type UploadRequest,
  type UploadResponse,
} from './peering.js';
export { type Log, Plugin, PluginContext } from './plugin.js';
export { type ProgramOptions, type ProgramResult, ProgramService } from './programs.js';
export { type Job, type PlannedJob, Schedule } from './schedule.js';
export { type NodeStatus, type StatusRow, StatusService, type StatusView } from './status.js';
export { Storage } from './storage.js';
