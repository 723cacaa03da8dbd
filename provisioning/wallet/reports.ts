/** What the command-line wallet says to a person. */
import { grantDaysMax, grantOpensMax } from '../../firmware/wallet/limits.ts';
import type { StudyHistory } from '../../firmware/wallet/study-history.ts';
import type {
  Refusal,
  WalletRefusal,
  WalletStudies,
  WalletStudy,
} from '../../firmware/wallet/wallet-answers.ts';
import { formatDate, formatSizeBucket, formatTable, formatTime } from './text-tables.ts';

const refusals: Record<WalletRefusal, string> = {
  'ticket-malformed': 'This is no ticket. Copy the whole text that the reception shows.',
  'ticket-other-consortium': 'This ticket belongs to another consortium than this wallet.',
  'ticket-no-member': 'The hospital of this ticket is no member of the consortium. Ask the reception.',
  'too-many-hospitals': 'This wallet is bound at as many hospitals as it can be.',
  'study-not-found': 'No such study. List yours with: wallet studies',
  'study-ambiguous': 'More than one study begins like that. Give more digits of its id.',
  'study-unverified':
    'The study does not agree with the ledger now; it may still be growing. Try again in a minute.',
  'study-not-open':
    'The hospital has stopped access to this study: it has doubts about it, or has withdrawn or erased it. Ask there.',
  'grantee-unknown': 'No member of the consortium has this id.',
  'grantee-is-source': 'The study comes from there: no grant is needed.',
  'grantee-keys': 'The keys of that institution are refused. Tell its reception.',
  'days-out-of-range': `Give a whole number of days from 1 to ${grantDaysMax}.`,
  'opens-out-of-range': `Give a whole number of opens from 1 to ${grantOpensMax}.`,
  'purpose-out-of-range': 'Say the purpose in fewer words.',
  'person-out-of-range': 'Say the name of the person in fewer letters.',
  'too-many-grants': 'This wallet remembers as many grants as it can.',
  'grant-not-found': 'This wallet made no such grant for the study. See: wallet history',
  'nothing-to-revoke': 'No grant of this study stands.',
};

export function describeRefusal(refusal: Refusal): string {
  switch (refusal.by) {
    case 'wallet':
      return refusals[refusal.reason];
    case 'box':
      return `The hospital refused: ${refusal.reason}.`;
    case 'ledger':
      return `The ledger refused: ${refusal.reason}.`;
  }
}

const idDigitsShown = 12;

function studyRow(study: WalletStudy): string[] {
  const id = study.studyId.slice(0, idDigitsShown);
  if (study.kind === 'unverified') return [id, '', '', '', '', study.source, `not verified: ${study.reason}`];
  const { note, record } = study;
  return [
    id,
    formatDate(note.date),
    note.modalities.join('/'),
    note.description,
    String(note.instances),
    study.source,
    record.closed ? 'complete' : 'growing',
  ];
}

export function describeStudies({ studies, unread }: WalletStudies): string {
  const lines = [
    studies.length === 0
      ? 'No studies yet.'
      : formatTable(
          ['study', 'date', 'modality', 'description', 'objects', 'hospital', 'state'],
          studies.map(studyRow),
        ),
  ];
  for (const { institution, error } of unread) lines.push(`Not read: ${institution}. ${error.line}`);
  return lines.join('\n');
}

export function describeHistory(history: StudyHistory): string {
  const grants = history.grants.map((grant) => [
    grant.grantId.slice(0, idDigitsShown),
    grant.grantee,
    grant.purpose,
    grant.grantedAt === null ? '' : formatTime(grant.grantedAt),
    formatTime(grant.expiry),
    grant.maxOpens === null ? '' : `${grant.opens} of ${grant.maxOpens}`,
    grant.status,
  ]);
  const others = history.others.map((other) => [
    other.basisId.slice(0, idDigitsShown),
    other.institution === null ? other.kind : `${other.kind}, ${other.institution}`,
    formatTime(other.grantedAt),
    formatTime(other.expiry),
    `${other.opens} of ${other.maxOpens}`,
    other.status,
  ]);
  const releases = history.releases.map((release) => [
    String(release.number),
    release.grantee ?? 'not granted by this wallet',
    release.purpose ?? '',
    formatTime(release.openedAt),
    release.closed === null ? 'not completed' : formatTime(release.closed.at),
    release.closed === null ? '' : formatSizeBucket(release.closed.sizeBucket),
  ]);
  return [
    `Study ${history.studyId.slice(0, idDigitsShown)} of ${history.source}, version ${history.version}`,
    '',
    grants.length === 0
      ? 'Granted to nobody by this wallet.'
      : formatTable(['grant', 'to', 'purpose', 'granted', 'until', 'opened', 'state'], grants),
    ...(others.length === 0
      ? []
      : [
          '',
          'Permitted by others:',
          formatTable(['id', 'kind', 'since', 'until', 'opened', 'state'], others),
        ]),
    '',
    releases.length === 0
      ? 'Sent to nobody.'
      : formatTable(['no', 'sent to', 'purpose', 'opened', 'received', 'size'], releases),
    '',
    `Complete as of block ${history.asOf.height}, ${formatTime(history.asOf.time)}, by proof.`,
  ].join('\n');
}
