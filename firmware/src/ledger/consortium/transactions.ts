/** The transactions about the consortium itself: who belongs to it, with which keys, by whose votes. */
import { institutionPropose, type InstitutionPropose } from './propose.ts';
import { institutionReplace, type InstitutionReplace } from './replace.ts';
import { evidenceReport, type EvidenceReport } from './report-evidence.ts';
import { institutionUpdate, type InstitutionUpdate } from './update.ts';
import { institutionVote, type InstitutionVote } from './vote.ts';

export type { EvidenceReport, InstitutionPropose, InstitutionReplace, InstitutionUpdate, InstitutionVote };

export type ConsortiumBody =
  InstitutionPropose | InstitutionVote | InstitutionUpdate | InstitutionReplace | EvidenceReport;

export const consortiumTransactions = {
  'institution.propose': institutionPropose,
  'institution.vote': institutionVote,
  'institution.update': institutionUpdate,
  'institution.replace': institutionReplace,
  'evidence.report': evidenceReport,
} as const;
