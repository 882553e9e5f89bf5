/** The public surface of the update agent, nothing else. */
export { UpdateAgent } from './agent.js';
export {
  type Canary,
  type Decision,
  decide,
  type Recall,
  type Rules,
  type Standing,
  type StayReason,
} from './decide.js';
export { type Disk, realDisk, replaceFile } from './disk.js';
export type { AgentPorts, Feed, Installation, Role } from './feed.js';
export {
  type Announcements,
  type News,
  NewsDesk,
  type RemoteStanding,
} from './news.js';
export { type Move, type Placement, placeFiles, recoverPlacement } from './place.js';
export { judgeReleases, type Release, type ReleaseFile } from './release.js';
export type { CheckReport, ComponentReport, Failure, Outcome } from './report.js';
export { type Retrieved, type RetrieveOptions, retrieve } from './retrieve.js';
export { type CheckJob, type CheckTimes, checkJobs, DEFAULT_TIMES } from './schedule.js';
export { type ComponentState, Shelf } from './shelf.js';
export { turnOf } from './turn.js';
export { compareVersions, demandName, isName } from './version.js';
