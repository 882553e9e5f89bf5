/** What the content shell reports to the heart about a source. */

/**
 * How a retrieval ended: `lied` bans the source, `failed` pauses it (§4.6); `unsuitable` is not what
 * was asked for; `unshareable` means that everybody has to fetch it for himself.
 */
export type RetrievalResult = 'ok' | 'failed' | 'lied' | 'unsuitable' | 'unshareable';
