/** SHA-256 (FIPS 180-4) for browsers, whose own answers too late: it gives a promise. */
export { sha256 } from '@noble/hashes/sha2.js';
