/** A function that node-forge exports and its type declarations lack. */
import type { asn1 } from 'node-forge';

declare module 'node-forge' {
  namespace pki {
    function getTBSCertificate(certificate: Certificate): asn1.Asn1;
  }
}
