/**
 * The systemd unit of a node: an own user without rights, everything of the machine read-only, and
 * a watchdog that restarts a node whose event loop no longer turns.
 */

export const SERVICE_USER = 'peerage';
/** As `defaultStateDirectory` of root, so that root's commands find the service. */
export const SERVICE_STATE = '/var/lib/peerage';

/** An address and port on which clients are to be kept waiting through a restart. */
export interface ClientPort {
  readonly address: string;
  readonly port: number;
}

/** The unit that opens a plugin's client ports and keeps them while the service is restarted. */
export function socketText(plugin: string, ports: readonly ClientPort[]): string {
  const streams = ports.map(({ address, port }) => `ListenStream=${address}:${port}`);
  return `# Written by \`peerage service install --sockets\`; again after the ports were changed.
[Unit]
Description=Peerage: client ports

[Socket]
${streams.join('\n')}
FileDescriptorName=${plugin}
Backlog=1024
NoDelay=yes

[Install]
WantedBy=sockets.target
`;
}

export interface UnitOptions {
  readonly node: string;
  readonly program: string;
}

/** Makes the user, by systemd-sysusers(8). */
export const SYSUSERS = `u ${SERVICE_USER} - "Peerage" ${SERVICE_STATE}\n`;

/** V8 compiles at run time: MemoryDenyWriteExecute cannot be set. */
export function unitText({ node, program }: UnitOptions): string {
  return `# Written by \`peerage service install\`. Changes: systemctl edit peerage
[Unit]
Description=Peerage: each thing from the Internet once per LAN
After=network-online.target
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=all
WatchdogSec=60
Restart=always
RestartSec=2
TimeoutStopSec=10
KillMode=mixed
User=${SERVICE_USER}
StateDirectory=peerage
StateDirectoryMode=0755
CacheDirectory=peerage
CacheDirectoryMode=0750
WorkingDirectory=${SERVICE_STATE}
# What root put there (peerage join, peerage ca) becomes the service's own.
ExecStartPre=+/bin/chown -R ${SERVICE_USER}: ${SERVICE_STATE}
ExecStart="${node}" "${program}" start --state ${SERVICE_STATE}
UMask=0027
LimitNOFILE=65536

NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
PrivateIPC=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
RemoveIPC=yes
LockPersonality=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
# setpriv(1), around each plugin's process, drops its rights by it; there are none to gain.
SystemCallFilter=capset
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
`;
}
