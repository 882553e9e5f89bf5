/** The public surface of the test kit. */
export { TestClock } from './clock.js';
export { type Compliance, type ComplianceOptions, checkCompliance } from './compliance.js';
export { TestLan } from './lan.js';
export { type StartOptions, TestNode } from './node.js';
export { type OriginRequest, type OriginResource, TestOrigin } from './origin.js';
export { TestPlugin } from './plugin.js';
