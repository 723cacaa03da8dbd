/** Headers of objects read where they arrive, without the thread that a box has for long ones. */
import { HeaderScanner } from '../../firmware/dimse/index.ts';
import type { OpenHeaderScanner } from '../../firmware/src/ports.ts';

export const openPlainHeaderScanner: OpenHeaderScanner = (transferSyntaxUid) => {
  const scanner = new HeaderScanner(transferSyntaxUid);
  return {
    push: (chunk) => scanner.push(chunk),
    end: () => scanner.end(),
    close: () => undefined,
  };
};
