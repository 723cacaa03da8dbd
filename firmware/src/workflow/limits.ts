/** Storage commitments that wait to be reported: a department's day, while its consoles are switched off. */
export const commitmentsWaitingMax = 10_000;

/** Objects that they name in all: some hundred bytes on disk each, so that a hostile caller fills no disk. */
export const commitmentInstancesWaitingMax = 2_000_000;

/** How long a commitment's result is tried to be delivered: consoles that are switched off at night or over a weekend. */
export const commitmentReportMsMax = 259_200_000;

/** Procedure steps that are remembered: two weeks of a large department; beyond it the oldest ended ones are forgotten. */
export const procedureStepsMax = 20_000;

/** Objects that remembered steps name, in memory, some 100 bytes each. Steps beyond it do not tell when a study is complete. */
export const procedureStepInstancesMax = 500_000;

/** A step that ended is remembered this long, so that late changes of it are refused by their right name. */
export const endedStepMsMax = 604_800_000;

/** A step that nobody ended is forgotten after this: its modality was switched off in the middle. */
export const openStepMsMax = 2_592_000_000;

/** Studies that one step may name: a group case (several requests scanned at once) names a handful. */
export const stepStudiesMax = 64;

/** Messages that wait to be sent on: two weeks without the department system, at three messages a step. */
export const relayMessagesWaitingMax = 60_000;

/** Their bytes on disk: they have some kilobytes each. */
export const relayBytesWaitingMax = 536_870_912;
