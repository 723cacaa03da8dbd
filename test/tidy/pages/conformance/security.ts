/** N.8, and the annexes of the template, of which a gateway needs little. */
import { permissions } from '../../../../firmware/src/access/permissions.ts';
import { contextOptions } from '../../../../firmware/dimse/tls-profile.ts';
import { ports } from './configuration.ts';
import { code } from './markdown.ts';

const tls = contextOptions({ certificate: '', key: '', ca: [] });
const cipherSuites = (tls.ciphers ?? '').split(':').map(code).join(', ');

export const security = (): string => `## N.8 Security

### N.8.1 Introduction

The box stands in the hospital's network and trusts nobody in it for being there: who may associate is listed, and what passes to other hospitals is encrypted and needs the patient's permission ([threat-model.md](threat-model.md)).

### N.8.2 External network requirements

Addresses are configured; names are resolved by the operating system's resolver where they are used instead. The clock is the operating system's. No DHCP, LDAP or service discovery of DICOM is used.

### N.8.3 TCP port configuration

${ports}

### N.8.4 DICOM security profiles

**Secure transport**: plain DICOM, and beside it DICOM over TLS with mutual authentication: the BCP 195 RFC 8996, 9325 TLS profile of PS3.15 B.12, and with it the non-downgrading profile B.10. ${tls.minVersion ?? ''} and ${tls.maxVersion ?? ''}, nothing older; cipher suites ${cipherSuites}, in this order of preference.

A peer must show a certificate of the configured authorities, whichever side opens the association; those of the operating system count for nothing. Where the box connects, the certificate must also name the host, unless that is switched off for the destination. Certificates, key and authorities are read anew when their files change, without a restart and without ending associations; what does not fit is told and the former ones stay in use. A certificate that expires soon is an alarm ([runbooks/dicom-tls.md](runbooks/dicom-tls.md)). Revocation lists are not read.

Not offered: audit trail messages (PS3.15 A.5), media storage security, attribute confidentiality (PS3.15 E), digital signatures.

### N.8.5 User identity negotiation

As acceptor: user name, passcode, Kerberos, SAML and JWT are carried to the admission as they came; none is verified, and no response is given. As initiator: not proposed.

### N.8.6 Web services security

No DICOM web services are offered.

### N.8.7 Other security features

**Access control.** Nobody may associate who does not stand in the access list, by calling AE title and, as configured, by address range, certificate (digest or common name) and called AE title. What a caller may do is one or several of ${permissions.map(code).join(', ')}; services that it may not use are refused in the negotiation, and each operation is judged again. C-ECHO is open to whoever may associate. AE titles and addresses are no proof of identity; certificates are.

**At rest.** Objects are encrypted with a key for each study, which is sealed by the TPM to this box and its firmware.

## Annex A.A Information object definitions

The box makes no composite objects. The one change that it makes to any is that of N.5.2.5.1, in what it sends and never in what it keeps. It defines no private attributes, SOP classes or transfer syntaxes, and extends or specialises no SOP class. UIDs that it makes (transactions of storage commitment, procedure steps that their modality left unnamed) are UUIDs under 2.25 (PS3.5 B.2). Nothing is shown or printed, so that the Grayscale Standard Display Function does not apply.

## Annex A.B Structured report content encoding

None: structured reports are kept and passed on as they came.

## Annex A.C Security details

None beyond N.8.

## Annex A.D Mapping of attributes

Patient ID (0010,0020) and Issuer of Patient ID (0010,0021) of what was fetched from another hospital come from the binding of the patient's wallet at this one; what they replace goes into the Original Attributes Sequence (0400,0561). No other attribute is taken from elsewhere.

## Annex A.E Code set usage

None of its own.
`;
