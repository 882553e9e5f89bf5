/** The dashboard's settings, and what is asked of them beyond their schema. */
import { isIPv4 } from 'node:net';
import { CodedError } from '@peerage/sdk';

export interface DashboardSettings {
  readonly address: string;
  readonly port: number;
  readonly password: string;
}

/** Shorter ones can be guessed, even at a few tries a minute. */
const PASSWORD_LENGTH_MIN = 12;

export function isLoopback(address: string): boolean {
  return (
    address === 'localhost' || address === '::1' || (isIPv4(address) && /^127\./.test(address))
  );
}

/** @throws CodedError `E_DASHBOARD_PASSWORD` */
export function demandPassword({ address, password }: DashboardSettings): void {
  if (isLoopback(address) || password.length >= PASSWORD_LENGTH_MIN) return;
  throw new CodedError('E_DASHBOARD_PASSWORD', `the dashboard is to be open on ${address}`, {
    expected: `a password of at least ${PASSWORD_LENGTH_MIN} characters`,
    action: 'set plugins.dashboard.settings.password, or its address to 127.0.0.1',
  });
}
