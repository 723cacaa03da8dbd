/** Tickets open at once: a reception makes a few a minute, and each lapses by itself. */
export const ticketsMax = 500;

/** How long a ticket can be used: the patient stands at the desk. */
export const ticketMsMax = 15 * 60_000;

/** Challenges open at once; the oldest makes room, so that a flood costs those who flood. */
export const challengesMax = 1_000;

/** How long a mailbox challenge can be answered. */
export const challengeMsMax = 60_000;
