/** From where on a box says that its disk fills up (docs/limits.md). */

/** Free bytes below which DISK_LOW is raised: some ten large CT studies, so that hours are left to act. */
export const diskFreeBytesMin = 5000000000;

/** Percentage of the disk that takes the place of `diskFreeBytesMin` where it is less: small disks of trials. */
export const diskFreePercentMin = 5;
