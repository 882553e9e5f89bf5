/**
 * What the plugin host needs of the other shells beyond `ContentTransfer`, each as small as its use:
 * bytes of plugins' own, a look at the node.
 */
import type {
  FoundResource,
  Published,
  ResourceRequest,
  StatusView,
  UploadRequest,
  UploadResponse,
} from '@peerage/sdk';

/** Bytes that a plugin publishes: they lie in a file that is only read. */
export interface OwnPublication {
  readonly uri: string;
  readonly path: string;
  readonly lifetimeMs: number;
  readonly contentType: string | undefined;
}

/** What plugins do with content besides opening it. */
export interface OwnContent {
  /** Who has it, without getting it. @throws CodedError `E_URL_INVALID` */
  find(service: string, request: ResourceRequest): Promise<FoundResource | undefined>;
  /** Stores and shares a file's bytes, vouched for by this node. @throws CodedError */
  publish(publication: OwnPublication): Promise<Published>;
  /** Sends a small body from this node. @throws CodedError as for an origin */
  upload(request: UploadRequest, service: string): Promise<UploadResponse>;
}

/** What `StatusService` shows. */
export interface NodeView {
  status(): unknown;
  peers(): unknown;
  downloads(): unknown;
  look(view: StatusView, url: string | undefined): unknown;
}
