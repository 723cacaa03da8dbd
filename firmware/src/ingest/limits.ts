/** How long a registration may wait for a block: beyond any outage that is not an alarm by itself, then it is made anew. */
export const transactionValidMs = 600_000;

/** Pause before a study that the ledger refused, or that failed, is tried again. */
export const registrationRetryMs = 10_000;

/** Free bytes below which DISK_LOW is raised: some ten large CT studies, so that hours are left to act. */
export const diskAlarmFreeBytes = 5000000000;

/** Percentage of the disk that takes the place of `diskAlarmFreeBytes` where it is less: small disks of trials. */
export const diskAlarmFreePercent = 5;

/** Free bytes below which associations that would store are refused: what many objects in flight still need to end. */
export const diskRefuseFreeBytes = 2000000000;

/** Percentage of the disk that takes the place of `diskRefuseFreeBytes` where it is less: small disks of trials. */
export const diskRefuseFreePercent = 2;

/** Percentage of the refusing mark that no object may touch: by default 500 MB, weeks of blocks and Level's compactions. */
export const diskOwnPercentOfRefuse = 25;

/** Room kept for an object of unknown size, bytes: most objects, and what its study's log takes ahead (16 MiB). */
export const objectRoomBytes = 33_554_432;

/** Room that a larger object takes at a time as its bytes arrive, bytes: small, so that the last of it is not wasted. */
export const objectRoomStepBytes = 8_388_608;

/** Looks at the disk while it is ample: a modality with 1 Gb/s writes less than 2 GB meanwhile, and that is counted. */
export const diskLookMs = 15_000;

/** Looks at the disk while it is low, so that the box takes objects again as soon as there is room. */
export const diskLowLookMs = 1_000;

/** Objects in quarantine: more than a person looks through; by then the sender that makes them has to be corrected. */
export const quarantineObjectsMax = 1_000;

/** Bytes in quarantine: thousand CT slices or some large multi-frames; what does not fit is refused. */
export const quarantineBytesMax = 17_179_869_184;

/** Alarms of one kind about single studies or their senders: more are counted together, or not shown. */
export const studyAlarmsMax = 100;

/** Beginnings of objects whose study is not known yet, bytes in memory over all associations: 200 usual ones have 13 MB. */
export const headersGatheredBytesMax = 67_108_864;

/** Corrections of one object within `correctionsMsMax`: nobody corrects so often, systems that answer each other do. */
export const correctionsMax = 8;

/** The time in which corrections are counted, a day: a loop over a slow archive makes a round in some hours. */
export const correctionsMsMax = 86_400_000;

/** How long studies by reference are gathered to be registered together: nobody waits for one of the archive's past. */
export const bulkGatherMs = 15_000;

/** Studies that are registered together: each costs its manifest two flushes, beside what modalities send. */
export const bulkStudiesMax = 256;
